//go:build !js

package main

import "syscall"

// hangup is the signal that a terminal sends when it goes.
const hangup = syscall.SIGHUP
