"""What can be done now: stages and models, as the workers that have checked in describe them."""

from db.catalogue import SEEN_SECONDS
from resolvers.compile.source import All, Many

STAGES = Many("stage_definitions", All(), order="t.name")
MODELS = Many("models", All(), order="t.capability, t.name, t.version")

LIVE = f"now() - make_interval(secs => {SEEN_SECONDS})"

MODEL_PROBLEM = f"case when t.seen_at <= {LIVE} then 'No worker has it now.' else t.unavailable_reason end"

# The first capability without a usable model, with the reasons of the models that should give it.
STAGE_PROBLEM = f"""
    case when not exists (
      select from workers w where w.queue = t.queue and t.name = any(w.stages) and w.seen_at > {LIVE}
    ) then 'No worker takes the ' || t.queue || ' queue now.'
    else (
      select 'No model can ' || needed.name || ' now' || coalesce(': ' || (
        select string_agg(distinct m.unavailable_reason, ' ') from models m
        where m.capability = needed.name and m.seen_at > {LIVE}), '.')
      from unnest(t.capabilities) with ordinality as needed(name, place)
      where not exists (
        select from models m
        where m.capability = needed.name and m.unavailable_reason is null and m.seen_at > {LIVE})
      order by needed.place limit 1
    ) end
"""
