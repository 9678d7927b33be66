//! A registry process in bad company and in bad health: many who begin and do not go on, and a disk
//! that is full.

mod full_disk;
mod idle_uploads;
