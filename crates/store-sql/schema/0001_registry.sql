-- Repositories, images, blobs, uploads, garbage, keys and leases.
-- {integer} {text} {bytes} {identity} {table} {clustered} are filled in per dialect.
-- Text compares by bytes everywhere. Times are microseconds since the Unix epoch.

CREATE TABLE repository (
    id                {identity},
    kind              {integer} NOT NULL,
    account           {text} NOT NULL,
    region            {text} NOT NULL, -- '' for a registry without regions
    name              {text} NOT NULL,
    created_at        {integer} NOT NULL,
    mutability_mode   {integer} NOT NULL,
    exclusion_filters {text} NOT NULL, -- JSON list of texts
    scan_on_push      {integer} NOT NULL,
    deleted_at        {integer} -- set while its contents wait to be reaped
) {table};
CREATE UNIQUE INDEX repository_live ON repository (kind, account, region, name)
    WHERE deleted_at IS NULL;
CREATE INDEX repository_deleted ON repository (deleted_at, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE resource_tag (
    repository_id {integer} NOT NULL REFERENCES repository (id),
    key           {text} NOT NULL,
    value         {text} NOT NULL,
    PRIMARY KEY (repository_id, key)
) {clustered};

CREATE TABLE image (
    id                  {identity},
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
    is_tagged           {integer} NOT NULL, -- whether a row of tag points here
    last_pulled_at      {integer},
    archived_at         {integer},
    activated_at        {integer}
) {table};
CREATE UNIQUE INDEX image_digest ON image (repository_id, digest);
-- One range of each of these two is one class of a listing: no filter has to skip rows.
CREATE UNIQUE INDEX image_by_digest ON image (repository_id, status, is_tagged, digest);
CREATE UNIQUE INDEX image_by_push
    ON image (repository_id, status, is_tagged, pushed_at DESC, digest);
CREATE INDEX image_referrer ON image (repository_id, subject, status, digest)
    WHERE subject IS NOT NULL;
CREATE INDEX image_referrer_by_type ON image (repository_id, subject, status, artifact_type, digest)
    WHERE subject IS NOT NULL;

-- Apart from image, so that listings never touch the bytes.
CREATE TABLE manifest (
    image_id {integer} PRIMARY KEY REFERENCES image (id),
    bytes    {bytes} NOT NULL
) {table};

CREATE TABLE tag (
    repository_id {integer} NOT NULL REFERENCES repository (id),
    tag           {text} NOT NULL,
    image_id      {integer} NOT NULL REFERENCES image (id),
    tagged_at     {integer} NOT NULL,
    seq           {integer} NOT NULL,
    PRIMARY KEY (repository_id, tag)
) {clustered};
CREATE UNIQUE INDEX tag_of_image ON tag (image_id, tag);

CREATE TABLE manifest_child (
    image_id      {integer} NOT NULL REFERENCES image (id),
    child         {text} NOT NULL, -- a digest, present or not
    repository_id {integer} NOT NULL,
    PRIMARY KEY (image_id, child)
) {clustered};
CREATE INDEX manifest_child_parent ON manifest_child (repository_id, child, image_id);

CREATE TABLE blob (
    key        {text} PRIMARY KEY,
    digest     {text} NOT NULL,
    size_bytes {integer} NOT NULL
) {clustered};
CREATE INDEX blob_digest ON blob (digest, key);

CREATE TABLE blob_link (
    repository_id      {integer} NOT NULL REFERENCES repository (id),
    digest             {text} NOT NULL,
    blob_key           {text} NOT NULL REFERENCES blob (key),
    media_type         {text},
    unreferenced_since {integer}, -- null while an image of the repository refers to it
    PRIMARY KEY (repository_id, digest)
) {clustered};
CREATE INDEX blob_link_blob ON blob_link (blob_key);
CREATE INDEX blob_link_unreferenced ON blob_link (unreferenced_since, repository_id, digest)
    WHERE unreferenced_since IS NOT NULL;

CREATE TABLE blob_edge (
    image_id      {integer} NOT NULL REFERENCES image (id),
    digest        {text} NOT NULL, -- linked or not
    repository_id {integer} NOT NULL,
    media_type    {text} NOT NULL,
    PRIMARY KEY (image_id, digest)
) {clustered};
CREATE INDEX blob_edge_holder ON blob_edge (repository_id, digest, image_id);

CREATE TABLE upload (
    id                 {text} PRIMARY KEY,
    repository_id      {integer} NOT NULL REFERENCES repository (id),
    blob_key           {text} NOT NULL,
    received_bytes     {integer} NOT NULL,
    parts              {integer} NOT NULL,
    has_short_part     {integer} NOT NULL,
    is_last_part_short {integer} NOT NULL,
    created_at         {integer} NOT NULL,
    expires_at         {integer} NOT NULL
) {clustered};
CREATE INDEX upload_expiry ON upload (expires_at, id);
CREATE INDEX upload_repository ON upload (repository_id, id);

CREATE TABLE garbage (
    key        {text} PRIMARY KEY,
    size_bytes {integer} NOT NULL
) {clustered};

CREATE TABLE access_key (
    id            {text} PRIMARY KEY,
    account       {text} NOT NULL,
    sealed_secret {bytes} NOT NULL,
    created_at    {integer} NOT NULL,
    disabled_at   {integer}
) {clustered};
CREATE INDEX access_key_account ON access_key (account, id);

CREATE TABLE lease (
    name       {text} PRIMARY KEY,
    holder     {text} NOT NULL,
    held_until {integer} NOT NULL
) {clustered};
