"""What must never happen on a board: crashes on hostile files, half an update after a power cut."""
