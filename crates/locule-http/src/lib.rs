//! How the control plane is reached: routes, auth, spec.
