-- Where the hash of an upload stood when its first bytes were made durable.
ALTER TABLE upload ADD COLUMN hash_state {text};
