//go:build !(linux || darwin || freebsd || netbsd || dragonfly || windows)

package main

import "os"

// columns is 0: here no file is known to be a terminal.
func columns(*os.File) int { return 0 }
