-- Policies of repositories; what public registries and their repositories have besides.

CREATE TABLE repository_policy (
    repository_id {integer} PRIMARY KEY REFERENCES repository (id),
    text          {text} NOT NULL
) {table};

CREATE TABLE public_registry (
    account      {text} PRIMARY KEY,
    id           {text} NOT NULL, -- in the addresses of its logos
    display_name {text}
) {clustered};

CREATE TABLE registry_alias (
    name       {text} PRIMARY KEY,
    account    {text} NOT NULL REFERENCES public_registry (account),
    is_primary {integer} NOT NULL,
    is_default {integer} NOT NULL
) {clustered};
CREATE INDEX registry_alias_account ON registry_alias (account, name);

CREATE TABLE catalog_data (
    repository_id     {integer} PRIMARY KEY REFERENCES repository (id),
    description       {text},
    architectures     {text} NOT NULL, -- JSON list of texts
    operating_systems {text} NOT NULL, -- JSON list of texts
    about_text        {text},
    usage_text        {text}
) {table};

CREATE TABLE logo (
    repository_id {integer} PRIMARY KEY REFERENCES repository (id),
    id            {text} NOT NULL,
    bytes         {bytes} NOT NULL -- the last, so that listings never touch the bytes
) {table};
CREATE UNIQUE INDEX logo_id ON logo (id);
