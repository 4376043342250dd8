-- Lifecycle policies, their previews and runs, deleted images, events.
-- {chosen_ids} lets the writer choose the id of an image where a dialect does not by itself.

-- 1 from the first step of reaping on: what a deleted repository held is no longer all there.
ALTER TABLE repository ADD COLUMN is_reaped {integer} NOT NULL DEFAULT 0;
-- How far the reaping of these got is not known.
UPDATE repository SET is_reaped = 1 WHERE deleted_at IS NOT NULL;
CREATE INDEX repository_restorable
    ON repository (kind, account, region, name, deleted_at, id)
    WHERE deleted_at IS NOT NULL AND is_reaped = 0;

-- Since when the subject, which had been here, is gone; null while it is here or never was.
ALTER TABLE image ADD COLUMN orphaned_at {integer};
CREATE UNIQUE INDEX image_number ON image (repository_id, id);
{chosen_ids}

-- Tags are read by image with their places, so that nobody has to look at the rows for those.
DROP INDEX tag_of_image;
CREATE INDEX tag_of_image ON tag (image_id, tag, seq);

-- As before, but image_id is the number of an image, live or deleted: both hold their links.
CREATE TABLE blob_edge_held (
    image_id      {integer} NOT NULL,
    digest        {text} NOT NULL, -- linked or not
    repository_id {integer} NOT NULL,
    media_type    {text} NOT NULL,
    PRIMARY KEY (image_id, digest)
) {clustered};
INSERT INTO blob_edge_held (image_id, digest, repository_id, media_type)
    SELECT image_id, digest, repository_id, media_type FROM blob_edge;
DROP TABLE blob_edge;
ALTER TABLE blob_edge_held RENAME TO blob_edge;
CREATE INDEX blob_edge_holder ON blob_edge (repository_id, digest, image_id);

-- Images that can be brought back, with all that goes with them but their edges to blobs.
CREATE TABLE deleted_image (
    id                  {integer} PRIMARY KEY, -- the number that it had as an image
    repository_id       {integer} NOT NULL REFERENCES repository (id),
    digest              {text} NOT NULL,
    media_type          {text} NOT NULL,
    size_bytes          {integer} NOT NULL,
    manifest_size_bytes {integer} NOT NULL,
    artifact_type       {text},
    subject             {text},
    pushed_at           {integer} NOT NULL,
    push_seq            {integer} NOT NULL,
    status              {integer} NOT NULL,
    last_pulled_at      {integer},
    archived_at         {integer},
    activated_at        {integer},
    deleted_at          {integer} NOT NULL,
    kept_until          {integer} NOT NULL,
    tags                {text} NOT NULL, -- JSON list of texts, by attachment
    children            {text} NOT NULL, -- JSON list of texts
    manifest            {bytes} NOT NULL -- the last, so that listings never touch the bytes
) {table};
CREATE INDEX deleted_image_latest ON deleted_image (repository_id, deleted_at DESC, id);
CREATE INDEX deleted_image_digest ON deleted_image (repository_id, digest, deleted_at, id);
CREATE INDEX deleted_image_expiry ON deleted_image (kept_until, id);

CREATE TABLE lifecycle_policy (
    repository_id {integer} PRIMARY KEY REFERENCES repository (id),
    policy_id     {text} NOT NULL,
    put_at        {integer} NOT NULL,
    evaluated_at  {integer},
    next_run_at   {integer} NOT NULL,
    departures    {integer} NOT NULL
) {table};
-- Apart from its policy, so that a departure does not write the text again.
CREATE TABLE lifecycle_policy_text (
    repository_id {integer} PRIMARY KEY REFERENCES lifecycle_policy (repository_id),
    text          {text} NOT NULL
) {table};
CREATE INDEX lifecycle_policy_due ON lifecycle_policy (next_run_at, repository_id);

CREATE TABLE lifecycle_preview (
    repository_id {integer} PRIMARY KEY REFERENCES repository (id),
    preview_id    {text} NOT NULL,
    status        {integer} NOT NULL,
    started_at    {integer} NOT NULL,
    completed_at  {integer},
    expiring      {integer} NOT NULL,
    transitioning {integer} NOT NULL,
    text          {text} NOT NULL
) {table};
CREATE INDEX lifecycle_preview_in_progress ON lifecycle_preview (started_at, repository_id)
    WHERE status = 0;

-- Pages of the preview of a repository and of those before it, which are pruned in steps.
CREATE TABLE lifecycle_preview_page (
    preview_id    {text} NOT NULL,
    page          {integer} NOT NULL,
    repository_id {integer} NOT NULL REFERENCES repository (id),
    starts_at     {integer} NOT NULL,
    text          {text} NOT NULL,
    PRIMARY KEY (preview_id, page)
) {table};
CREATE INDEX lifecycle_preview_page_start
    ON lifecycle_preview_page (preview_id, starts_at, page);
CREATE INDEX lifecycle_preview_page_repository
    ON lifecycle_preview_page (repository_id, preview_id, page);

CREATE TABLE lifecycle_run (
    id            {identity},
    repository_id {integer} NOT NULL REFERENCES repository (id),
    started_at    {integer} NOT NULL,
    text          {text} NOT NULL
) {table};
CREATE UNIQUE INDEX lifecycle_run_repository ON lifecycle_run (repository_id, id);

CREATE TABLE lifecycle_run_page (
    run       {integer} NOT NULL REFERENCES lifecycle_run (id),
    page      {integer} NOT NULL,
    starts_at {integer} NOT NULL,
    text      {text} NOT NULL,
    PRIMARY KEY (run, page)
) {table};

-- What waits to be told. On PostgreSQL numbers are drawn before the commit, so that a reader may
-- see a number before a smaller one. Rows go only once they were delivered or given up, and a
-- reader starts again from the first that waits: none is skipped. They outlive their repository.
CREATE TABLE event (
    seq           {identity},
    destination   {text} NOT NULL,
    repository_id {integer} NOT NULL,
    appended_at   {integer} NOT NULL,
    payload       {text} NOT NULL
) {table};
CREATE UNIQUE INDEX event_destination ON event (destination, seq);
CREATE INDEX event_age ON event (destination, appended_at, seq);
