"""what webhooks told, and what makes one conversation.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from connectors.warehouse import types

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Moves the schema forward."""
    with op.batch_alter_table('inbound_event', schema=None) as batch_op:
        batch_op.add_column(sa.Column('source_key', types.SafeText(), nullable=True))
        batch_op.add_column(sa.Column('event_type', types.SafeText(), nullable=True))
        batch_op.add_column(sa.Column('body', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('state', types.SafeText(), server_default='pending', nullable=False))
        batch_op.add_column(sa.Column('attempts', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('next_at', types.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('failure', types.SafeText(), nullable=True))
        batch_op.create_index(batch_op.f('ix_inbound_event_client_key_source_key_state_next_at'), ['client_key', 'source_key', 'state', 'next_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_inbound_event_received_at'), ['received_at'], unique=False)

    for table in ('agent', 'contact', 'organisation'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('merged_into_key', types.SafeText(), nullable=True))
    op.create_table('person_record',
    sa.Column('client_key', types.SafeText(), nullable=False),
    sa.Column('source_key', types.SafeText(), nullable=False),
    sa.Column('remote_id', types.SafeText(), nullable=False),
    sa.Column('kind', types.SafeText(), nullable=False),
    sa.Column('person_key', types.SafeText(), nullable=False),
    sa.Column('name', types.SafeText(), nullable=True),
    sa.Column('emails', types.Json(), nullable=False),
    sa.Column('phones', types.Json(), nullable=False),
    sa.Column('external_id', types.SafeText(), nullable=True),
    sa.Column('organisation_key', types.SafeText(), nullable=True),
    sa.Column('language', types.SafeText(), nullable=True),
    sa.Column('time_zone', types.SafeText(), nullable=True),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('client_key', 'source_key', 'remote_id', name=op.f('pk_person_record'))
    )
    with op.batch_alter_table('person_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_person_record_person_key'), ['person_key'], unique=False)
    op.create_table('entity_match',
    sa.Column('client_key', types.SafeText(), nullable=False),
    sa.Column('left_key', types.SafeText(), nullable=False),
    sa.Column('right_key', types.SafeText(), nullable=False),
    sa.Column('kind', types.SafeText(), nullable=False),
    sa.Column('verdict', types.SafeText(), nullable=False),
    sa.Column('basis', types.SafeText(), nullable=False),
    sa.Column('bits', sa.Float(), nullable=True),
    sa.Column('reason', types.SafeText(), nullable=False),
    sa.PrimaryKeyConstraint('client_key', 'left_key', 'right_key', name=op.f('pk_entity_match'))
    )
    with op.batch_alter_table('entity_match', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_entity_match_right_key'), ['right_key'], unique=False)

    with op.batch_alter_table('comment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reply_text', types.SafeText(), nullable=True))

    with op.batch_alter_table('comment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('thread_marks', types.Json(), nullable=True))
        batch_op.add_column(sa.Column('thread_doubt', types.Json(), nullable=True))
    op.create_table('thread_decision',
    sa.Column('client_key', types.SafeText(), nullable=False),
    sa.Column('source_key', types.SafeText(), nullable=False),
    sa.Column('remote_id', types.SafeText(), nullable=False),
    sa.Column('other_source_key', types.SafeText(), server_default='', nullable=False),
    sa.Column('kind', types.SafeText(), nullable=False),
    sa.Column('other_remote_id', types.SafeText(), nullable=True),
    sa.Column('decided_at', types.UtcDateTime(timezone=True), nullable=False),
    sa.Column('decided_by', types.SafeText(), nullable=False),
    sa.PrimaryKeyConstraint('client_key', 'source_key', 'remote_id', 'other_source_key', name=op.f('pk_thread_decision'))
    )
    op.create_table('ticket_name',
    sa.Column('ticket_key', types.SafeText(), nullable=False),
    sa.Column('comment_key', types.SafeText(), nullable=False),
    sa.Column('kind', types.SafeText(), nullable=False),
    sa.Column('value', types.SafeText(), nullable=False),
    sa.Column('client_key', types.SafeText(), nullable=False),
    sa.PrimaryKeyConstraint('ticket_key', 'comment_key', 'kind', 'value', name=op.f('pk_ticket_name'))
    )
    with op.batch_alter_table('ticket_name', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ticket_name_client_key_kind_value'), ['client_key', 'kind', 'value'], unique=False)
    with op.batch_alter_table('ticket', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ticket_client_key_number'), ['client_key', 'number'], unique=False)
    with op.batch_alter_table('sync_cursor', schema=None) as batch_op:
        batch_op.add_column(sa.Column('normalise_sequence', sa.BigInteger(), nullable=True))

    op.create_table('erasure',
    sa.Column('erasure_key', types.SafeText(), nullable=False),
    sa.Column('client_key', types.SafeText(), nullable=False),
    sa.Column('contact_key', types.SafeText(), nullable=False),
    sa.Column('author', types.SafeText(), nullable=False),
    sa.Column('erased_at', types.UtcDateTime(timezone=True), nullable=False),
    sa.Column('finished_at', types.UtcDateTime(timezone=True), nullable=True),
    sa.Column('salt', types.SafeText(), nullable=False),
    sa.Column('counts', types.Json(), nullable=False),
    sa.Column('plan', types.Json(), nullable=True),
    sa.PrimaryKeyConstraint('erasure_key', name=op.f('pk_erasure'))
    )
    with op.batch_alter_table('erasure', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_erasure_client_key'), ['client_key'], unique=False)
    op.create_table('erased_record',
    sa.Column('client_key', types.SafeText(), nullable=False),
    sa.Column('remote_hash', types.SafeText(), nullable=False),
    sa.Column('erasure_key', types.SafeText(), nullable=False),
    sa.Column('source_key', types.SafeText(), nullable=False),
    sa.Column('kind', types.SafeText(), nullable=False),
    sa.Column('entity_key', types.SafeText(), nullable=True),
    sa.Column('kept_fields', types.Json(), nullable=True),
    sa.PrimaryKeyConstraint('client_key', 'remote_hash', name=op.f('pk_erased_record'))
    )
    with op.batch_alter_table('erased_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_erased_record_client_key_erasure_key'), ['client_key', 'erasure_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_erased_record_entity_key'), ['entity_key'], unique=False)


def downgrade() -> None:
    """Moves the schema back."""
    with op.batch_alter_table('erased_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_erased_record_entity_key'))
        batch_op.drop_index(batch_op.f('ix_erased_record_client_key_erasure_key'))
    op.drop_table('erased_record')
    with op.batch_alter_table('erasure', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_erasure_client_key'))
    op.drop_table('erasure')
    with op.batch_alter_table('sync_cursor', schema=None) as batch_op:
        batch_op.drop_column('normalise_sequence')
    with op.batch_alter_table('ticket', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ticket_client_key_number'))
    with op.batch_alter_table('ticket_name', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ticket_name_client_key_kind_value'))
    op.drop_table('ticket_name')
    op.drop_table('thread_decision')
    with op.batch_alter_table('comment', schema=None) as batch_op:
        batch_op.drop_column('thread_doubt')
        batch_op.drop_column('thread_marks')

    with op.batch_alter_table('comment', schema=None) as batch_op:
        batch_op.drop_column('reply_text')
    with op.batch_alter_table('entity_match', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_entity_match_right_key'))
    op.drop_table('entity_match')
    with op.batch_alter_table('person_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_person_record_person_key'))
    op.drop_table('person_record')
    for table in ('organisation', 'contact', 'agent'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('merged_into_key')
    with op.batch_alter_table('inbound_event', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_inbound_event_received_at'))
        batch_op.drop_index(batch_op.f('ix_inbound_event_client_key_source_key_state_next_at'))
        batch_op.drop_column('failure')
        batch_op.drop_column('next_at')
        batch_op.drop_column('attempts')
        batch_op.drop_column('state')
        batch_op.drop_column('body')
        batch_op.drop_column('event_type')
        batch_op.drop_column('source_key')
