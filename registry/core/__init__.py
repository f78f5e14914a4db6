"""What every app shares and no app owns: errors, state changes, names, logging."""
