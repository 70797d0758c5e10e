-- Grows with every change of the organisation or of one of its endpoints.
ALTER TABLE organizations ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
