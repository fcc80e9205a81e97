"""${message}.

Revision: ${up_revision}, after ${down_revision | comma,n}.
"""

import sqlalchemy as sa
from alembic import op

from connectors.warehouse import types
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Moves the schema forward."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Moves the schema back."""
    ${downgrades if downgrades else "pass"}
