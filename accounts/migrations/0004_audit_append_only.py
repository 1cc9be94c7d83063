"""The database refuses to change or remove an audit event; erasing an account is the one way to delete some."""

from django.db import migrations

_MAKE = """
CREATE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- accounts.erasure names the account for its own transaction; NULL, which is what it is elsewhere, equals nothing.
  IF TG_OP = 'DELETE' AND OLD.account_id::text = current_setting('tallystick.erase_account', true) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'audit events are append-only: % is refused', TG_OP
    USING ERRCODE = 'restrict_violation', HINT = 'Erase a whole account with manage.py erase_account.';
END
$$;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON accounts_auditevent
  FOR EACH ROW EXECUTE FUNCTION audit_event_append_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON accounts_auditevent
  FOR EACH STATEMENT EXECUTE FUNCTION audit_event_append_only();
"""
_UNMAKE = """
DROP TRIGGER audit_event_no_truncate ON accounts_auditevent;
DROP TRIGGER audit_event_no_change ON accounts_auditevent;
DROP FUNCTION audit_event_append_only();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_people_audit_and_token_terms'),
    ]

    operations = [migrations.RunSQL(_MAKE, _UNMAKE)]
