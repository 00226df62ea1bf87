"""Who sees which row, decided by Postgres itself: functions, policies and grants."""

from tortoise import migrations
from tortoise.migrations import operations as ops

VIEWER = [
    """
    create function viewer_role() returns text language sql stable parallel safe as
    $$ select split_part(current_setting('app.viewer', true), '/', 1) $$
    """,
    """
    create function viewer_user() returns uuid language sql stable parallel safe as
    $$ select nullif(split_part(current_setting('app.viewer', true), '/', 2), '')::uuid $$
    """,
    """
    create function viewer_workspace() returns uuid language sql stable parallel safe as
    $$ select nullif(split_part(current_setting('app.viewer', true), '/', 3), '')::uuid $$
    """,
    # UNLISTED items show themselves only to a statement that names their id.
    """
    create function viewer_reach() returns uuid[] language sql stable parallel safe as
    $$ select string_to_array(nullif(current_setting('app.reach', true), ''), ',')::uuid[] $$
    """,
]

ADMIN = "(select viewer_role()) = 'ADMIN'"
OWN = f"(workspace_id = (select viewer_workspace()) or {ADMIN})"
SELF = f"(user_id = (select viewer_user()) or {ADMIN})"
VISIBLE_MEDIA = "exists (select from media m where m.id = media_id)"

READ = {
    "workspaces": f"(id = (select viewer_workspace()) or {ADMIN})",
    "users": f"({OWN} or exists (select from media m where m.owner_id = users.id))",
    "accounts": SELF,
    "sessions": SELF,
    "idempotency_keys": OWN,
    "media": (
        f"({OWN} or visibility = 'PUBLIC' or"
        " (visibility = 'UNLISTED' and id = any ((select viewer_reach())::uuid[])))"
    ),
    "media_metadata": f"({OWN} or {VISIBLE_MEDIA})",
    "captions": f"({OWN} or {VISIBLE_MEDIA})",
    "media_tags": f"({OWN} or {VISIBLE_MEDIA})",
    "embeddings": f"({OWN} or {VISIBLE_MEDIA})",
    "tags": f"({ADMIN} or exists (select from media_tags t where t.tag_id = tags.id))",
    "uploads": OWN,
    "runs": OWN,
    "stages": OWN,
    "cost_entries": OWN,
    "budgets": OWN,
    "events": OWN,
    "workers": "true",
    "models": "true",
    "stage_definitions": "true",
    "relay": "true",
}

WRITE = {
    "workspaces": f"(id = (select viewer_workspace()) or {ADMIN})",
    "users": f"(id = (select viewer_user()) or {ADMIN})",
    "accounts": SELF,
    "sessions": SELF,
    **dict.fromkeys(("idempotency_keys", "media", "uploads", "runs", "stages", "budgets", "events"), OWN),
}


def policies() -> list[str]:
    """Row-level security of every table: the owner and the workers see all, the web what the viewer may."""
    statements = []
    for table, reads in READ.items():
        statements += [
            f"alter table {table} enable row level security",
            f"alter table {table} force row level security",
            f"create policy owner_all on {table} to vidura_owner using (true) with check (true)",
            f"create policy work_all on {table} to vidura_work using (true) with check (true)",
            f"create policy app_read on {table} for select to vidura_app using ({reads})",
        ]
        if table in WRITE:
            statements += [
                f"create policy app_insert on {table} for insert to vidura_app with check ({WRITE[table]})",
                f"create policy app_update on {table} for update to vidura_app"
                f" using ({WRITE[table]}) with check ({WRITE[table]})",
            ]
    return statements


GRANTS = [
    "grant usage on schema public to vidura_app, vidura_work",
    "grant select on all tables in schema public to vidura_app",
    f"grant insert, update on {', '.join(WRITE)} to vidura_app",
    "grant select, insert, update, delete on all tables in schema public to vidura_work",
]

QUESTIONS = "login_account, rotate_session, end_session, events_between, system_status"

# Before anybody is known there is no viewer: these answer one question each, with the owner's eyes.
DOORS = [
    """
    create function login_account(address text) returns setof accounts
    language sql stable security definer set search_path = public, pg_temp as
    $$ select * from accounts where email = lower(address) and is_active $$
    """,
    """
    create function rotate_session(old_hash text, new_hash text, expires timestamptz) returns setof accounts
    language plpgsql security definer set search_path = public, pg_temp as $$
    declare old sessions;
    begin
      select * into old from sessions where token_hash = old_hash for update;
      if old.id is null then return; end if;
      if old.used_at is not null or old.revoked_at is not null then
        update sessions set revoked_at = now() where family = old.family and revoked_at is null;
        return;
      end if;
      if old.expires_at < now() then return; end if;
      update sessions set used_at = now() where id = old.id;
      insert into sessions (workspace_id, user_id, family, token_hash, expires_at)
        values (old.workspace_id, old.user_id, old.family, new_hash, expires);
      return query select * from accounts where user_id = old.user_id and is_active;
    end $$
    """,
    """
    create function end_session(hash text) returns boolean
    language sql security definer set search_path = public, pg_temp as $$
      with ended as (
        update sessions set revoked_at = now()
        where family = (select family from sessions where token_hash = hash) and revoked_at is null
        returning 1
      ) select exists (select from ended)
    $$
    """,
    # What the live hub reads when Redis lost something; whom it is shown to is checked per event.
    """
    create function events_between(topic text, after bigint, upto bigint) returns setof events
    language sql stable security definer set search_path = public, pg_temp as $$
      select * from events where seq > after and seq <= upto and case split_part(topic, ':', 1)
        when 'media' then media_id = nullif(split_part(topic, ':', 2), '')::uuid
        when 'workspace' then workspace_id = nullif(split_part(topic, ':', 2), '')::uuid
        else true end
      order by seq limit 10000
    $$
    """,
    # For operators and load balancers: counts and ages only, nothing of anybody's.
    """
    create function system_status() returns jsonb
    language sql stable security definer set search_path = public, pg_temp as $$
      select jsonb_build_object(
        'relay_lag_seconds', coalesce((
          select extract(epoch from now() - min(at))::float from events, relay
          where events.seq is null or events.seq > relay.published_seq), 0),
        'workers', coalesce((
          select jsonb_object_agg(queue, n) from (
            select queue, count(*) as n from workers where seen_at > now() - interval '15 seconds' group by queue
          ) w), '{}'),
        'queues', coalesce((
          select jsonb_object_agg(queue, jsonb_build_object(
            'ready', ready, 'running', running, 'oldest_seconds', oldest)) from (
            select queue, count(*) filter (where status = 'READY') as ready,
              count(*) filter (where status = 'RUNNING') as running,
              coalesce(extract(epoch from now() - min(created_at) filter (where status = 'READY')), 0)::float
                as oldest
            from stages where status in ('READY', 'RUNNING') group by queue) q), '{}'))
    $$
    """,
    f"revoke execute on function {QUESTIONS} from public",
    f"grant execute on function {QUESTIONS} to vidura_app",
]

# HNSW needs fixed dimensions, so each model has a partial index of its own; workers may ask for it.
VECTORS = [
    """
    create function ensure_vector_index(model_name text, version text, dimensions int) returns text
    language plpgsql security definer set search_path = public, pg_temp as $$
    declare name text := 'embeddings_hnsw_' || substr(md5(model_name || '@' || version), 1, 16);
    begin
      if to_regclass(name) is null then
        execute format(
          'create index if not exists %I on embeddings using hnsw ((vector::vector(%s)) vector_cosine_ops)'
          ' where model = %L and model_version = %L', name, dimensions, model_name, version);
      end if;
      return name;
    end $$
    """,
    "revoke execute on function ensure_vector_index from public",
    "grant execute on function ensure_vector_index to vidura_work",
    "insert into relay (id) values (1)",
]

UNDO = [
    "delete from relay",
    """
    do $$
    declare p record;
    begin
      for p in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', p.policyname, p.tablename);
      end loop;
      for p in select relname from pg_class where relrowsecurity and relnamespace = 'public'::regnamespace loop
        execute format('alter table %I disable row level security', p.relname);
      end loop;
      for p in select oid::regprocedure as name from pg_proc where pronamespace = 'public'::regnamespace
        and proowner = (select oid from pg_roles where rolname = current_user) loop
        execute format('drop function %s', p.name);
      end loop;
    end $$
    """,
    "revoke all on all tables in schema public from vidura_app, vidura_work",
    "revoke usage on schema public from vidura_app, vidura_work",
]


class Migration(migrations.Migration):
    """Policies behind the predicates: a statement without WHERE returns only what the viewer may see."""

    dependencies = [("vidura", "0001_initial")]
    initial = False

    operations = [ops.RunSQL([*VIEWER, *policies(), *GRANTS, *DOORS, *VECTORS], reverse_sql=UNDO)]
