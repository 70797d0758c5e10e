-- Origins of the pages that may show an organisation's dashboard in a frame, with a space between them.
ALTER TABLE organizations ADD COLUMN frame_ancestors TEXT NOT NULL DEFAULT '';
