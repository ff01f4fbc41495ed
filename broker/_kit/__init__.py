"""What any broker plugin needs; knows no broker and is handed one."""
