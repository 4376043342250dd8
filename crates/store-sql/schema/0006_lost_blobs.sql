-- Blobs whose bytes are gone or are not what they were. Their rows and links stay until the same
-- digest is pushed again, or the bytes are found.
ALTER TABLE blob ADD COLUMN lost_since {integer};
CREATE INDEX blob_lost ON blob (digest, key) WHERE lost_since IS NOT NULL;
