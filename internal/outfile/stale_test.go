package outfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a killed run has left is removed by the next run to the same file; what is somebody's, and what is another file's, stays.
func TestStale(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("about locks of Unix")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	killed, err := Create(path, "test")
	require.NoError(t, err)
	require.NoError(t, killed.Close()) // as the kernel does it
	killed.unlock()
	other, err := Create(filepath.Join(dir, "other"), "test")
	require.NoError(t, err)
	require.NoError(t, other.Close())
	other.unlock()
	mine := filepath.Join(dir, ".test-of-mine.tmp")
	require.NoError(t, os.WriteFile(mine, nil, 0o666))

	first, err := Create(path, "test")
	require.NoError(t, err)
	require.NoError(t, first.Seal())
	second, err := Create(path, "test")
	require.NoError(t, err)
	assert.NoFileExists(t, killed.temp)
	for _, there := range []string{other.temp, mine, first.temp, second.temp} {
		assert.FileExists(t, there)
	}
	require.NoError(t, first.Publish())
	require.NoError(t, second.Discard())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "out, and what is not ours")
}
