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


def downgrade() -> None:
    """Moves the schema back."""
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
