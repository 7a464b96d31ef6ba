"""Who is it, and may they: SASL mechanisms, principals, ACLs."""
