package beam

import (
	"debug/buildinfo"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the engine and the storage cost: more than this is to be a decision.
const (
	mostModules = 96  // in the program
	mostBytes   = 100 // millions, with symbols
)

func TestBudget(t *testing.T) {
	path := program(t, ".", "./cmd/lowbit-beam")
	info, err := buildinfo.ReadFile(path)
	require.NoError(t, err)
	require.LessOrEqual(t, len(info.Deps), mostModules)
	stat, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, stat.Size(), int64(mostBytes*1e6))
}

// Beam's package register is generic over a DoFn's types: the compiler takes half a minute and more than a gigabyte for one.
func TestNothingIsRegisteredGenerically(t *testing.T) {
	require.NoError(t, filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			require.False(t, strings.HasSuffix(i.Path.Value, `/beam/register"`), path)
		}
		return nil
	}))
}
