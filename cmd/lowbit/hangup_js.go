package main

import "syscall"

// hangup is SIGTERM, as there are no terminals here.
const hangup = syscall.SIGTERM
