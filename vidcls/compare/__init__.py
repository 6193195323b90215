"""Several configurations -> their runs, what each reached and what each costs, side by side."""
