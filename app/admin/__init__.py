"""What operators see and do while the server runs; docs/operations/admin.md is about the page."""
