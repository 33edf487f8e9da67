package main

import (
	"os"
	"syscall"
)

// columns is a width that every console has, or 0 if the file is none.
func columns(f *os.File) int {
	if syscall.GetConsoleMode(syscall.Handle(f.Fd()), new(uint32)) != nil {
		return 0
	}
	return 80
}
