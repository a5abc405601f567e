-- A part of raw rows is one file for all columns until it is large: a file each (some sixty) costs a
-- block of disk and time to make, and what a segment inserts is merged into larger parts soon.
ALTER TABLE messages MODIFY SETTING min_bytes_for_wide_part = 134217728;

ALTER TABLE queue MODIFY SETTING min_bytes_for_wide_part = 134217728;

ALTER TABLE points MODIFY SETTING min_bytes_for_wide_part = 134217728;
