-- step
-- When the older of an endpoint's two secrets stops working; none where there is one secret.
ALTER TABLE endpoints ADD COLUMN overlap_ends_at bigint;
CREATE INDEX endpoints_by_overlap_end ON endpoints (overlap_ends_at) WHERE overlap_ends_at IS NOT NULL;
