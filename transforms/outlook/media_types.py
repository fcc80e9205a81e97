"""Media types by file name, for attachments of which Outlook keeps none.

Belongs here: the table. Does not belong here: the machine's own tables, which differ from one to the next.
"""

_BY_EXTENSION = {
    "bmp": "image/bmp",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "eml": "application/octet-stream",
    "gif": "image/gif",
    "gz": "application/gzip",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "log": "text/plain",
    "msg": "application/vnd.ms-outlook",
    "p7m": "application/pkcs7-mime",
    "p7s": "application/pkcs7-signature",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "zip": "application/zip",
}


def media_type_of(file_name: str) -> str:
    """The media type of a file by its name's ending; `application/octet-stream` where that tells nothing."""
    _, dot, extension = file_name.rpartition(".")
    return (
        _BY_EXTENSION.get(extension.lower(), "application/octet-stream")
        if dot
        else "application/octet-stream"
    )
