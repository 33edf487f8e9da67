package kernels

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRequires holds what each assembly function requires of the CPU, as its
// header says, against what is checked before an implementation is chosen.
func TestRequires(t *testing.T) {
	if len(features) == 0 {
		t.Skip("no assembly in this build")
	}
	checked := map[isa][]string{}
	for _, f := range features {
		for impl := range f.of {
			name := map[string]string{"FMA": "FMA3"}[f.name]
			if name == "" {
				name = f.name
			}
			checked[impl] = append(checked[impl], name)
		}
	}
	for impl, enough := range checked {
		files, err := filepath.Glob("../internal/asm/*_" + names[impl] + "_amd64.s")
		require.NoError(t, err)
		wanted := map[string]bool{}
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, line := range strings.Split(string(text), "\n") {
				if list, ok := strings.CutPrefix(line, "// Requires: "); ok {
					for _, f := range strings.Split(list, ", ") {
						wanted[f] = true
					}
				}
			}
		}
		// what every amd64 has
		delete(wanted, "SSE")
		delete(wanted, "SSE2")
		delete(wanted, "CMOV")
		delete(wanted, "MMX+")
		for f := range wanted {
			assert.True(t, slices.Contains(enough, f), "%s requires %s, which is not checked", names[impl], f)
		}
	}
}
