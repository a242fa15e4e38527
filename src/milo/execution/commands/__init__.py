"""Commands of the system: started, read, waited for, and ended with all that they have started."""
