// Command gen writes Lowbit's assembly and its Go declarations.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("o", "../internal/asm", "folder to write to")
	flag.Parse()
	files, err := Generate()
	if err == nil {
		for name, text := range files {
			if err = os.WriteFile(filepath.Join(*dir, name), text, 0o666); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
