-- Lightsail container services: services, their deployments, images, logs and usage.
-- What they push lives in the ordinary tables, in one repository of each account and region.

-- What an account has in a region once it had a container service there; it stays.
CREATE TABLE container_place (
    account      {text} NOT NULL,
    region       {text} NOT NULL,
    address_part {text} NOT NULL,
    lightsail    {text} NOT NULL, -- the account to which the roles of its services belong
    PRIMARY KEY (account, region)
) {clustered};
CREATE UNIQUE INDEX container_place_address ON container_place (address_part);

CREATE TABLE container_service (
    id              {text} PRIMARY KEY,
    account         {text} NOT NULL,
    region          {text} NOT NULL,
    name            {text} NOT NULL,
    created_at      {integer} NOT NULL,
    power           {text} NOT NULL, -- this and the states as the API writes them
    scale           {integer} NOT NULL,
    is_disabled     {integer} NOT NULL,
    state           {text} NOT NULL,
    detail          {text},
    since           {integer} NOT NULL,
    passing_since   {integer}, -- since, in a state that ends by itself
    current_version {integer},
    next_version    {integer},
    version_next    {integer} NOT NULL, -- the number that the next deployment gets
    image_next      {integer} NOT NULL, -- above the number of every image it ever had
    role            {text} NOT NULL,
    puller_role     {text},
    domain_names    {text} NOT NULL, -- JSON object: lists of texts
    tags            {text} NOT NULL -- JSON object: texts or nulls
) {table};
CREATE UNIQUE INDEX container_service_name ON container_service (account, region, name);
CREATE INDEX container_service_passing ON container_service (passing_since, id)
    WHERE passing_since IS NOT NULL;

CREATE TABLE container_deployment (
    service_id  {text} NOT NULL REFERENCES container_service (id),
    version     {integer} NOT NULL,
    state       {text} NOT NULL,
    created_at  {integer} NOT NULL,
    finished_at {integer},
    spec        {text} NOT NULL, -- JSON
    pins        {text} NOT NULL, -- JSON
    PRIMARY KEY (service_id, version)
) {table};

-- Numbers are never given twice, whatever images are left.
CREATE TABLE container_label (
    service_id {text} NOT NULL REFERENCES container_service (id),
    label      {text} NOT NULL,
    next       {integer} NOT NULL,
    PRIMARY KEY (service_id, label)
) {clustered};

CREATE TABLE container_image (
    service_id    {text} NOT NULL REFERENCES container_service (id),
    label         {text} NOT NULL,
    version       {integer} NOT NULL,
    repository_id {integer} NOT NULL,
    digest        {text} NOT NULL,
    created_at    {integer} NOT NULL,
    seq           {integer} NOT NULL,
    PRIMARY KEY (service_id, label, version)
) {clustered};
CREATE INDEX container_image_newest ON container_image (service_id, created_at DESC, seq DESC);
CREATE INDEX container_image_digest ON container_image (repository_id, digest, service_id);

-- Manifests that were pushed and wait to be registered.
CREATE TABLE container_push (
    repository_id {integer} NOT NULL,
    digest        {text} NOT NULL,
    expires_at    {integer} NOT NULL,
    PRIMARY KEY (repository_id, digest)
) {clustered};
CREATE INDEX container_push_expiry ON container_push (expires_at, repository_id, digest);

CREATE TABLE container_log (
    service_id {text} NOT NULL REFERENCES container_service (id),
    container  {text} NOT NULL,
    at         {integer} NOT NULL,
    seq        {integer} NOT NULL,
    message    {text} NOT NULL,
    PRIMARY KEY (service_id, container, at, seq)
) {clustered};
CREATE INDEX container_log_age ON container_log (at, service_id, container, seq);

-- Measurements of nodes, in millionths of a percent.
CREATE TABLE container_usage (
    service_id {text} NOT NULL REFERENCES container_service (id),
    at         {integer} NOT NULL,
    seq        {integer} NOT NULL,
    version    {integer} NOT NULL, -- of the deployment
    cpu        {integer} NOT NULL,
    memory     {integer} NOT NULL,
    PRIMARY KEY (service_id, at, seq)
) {clustered};
CREATE INDEX container_usage_age ON container_usage (at, service_id, seq);
