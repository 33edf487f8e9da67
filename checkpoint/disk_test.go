package checkpoint

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A folder of another file system gives the same files.
func TestOpenFS(t *testing.T) {
	const source = "testdata/ct/source"
	want, got := filepath.Join(t.TempDir(), "want"), filepath.Join(t.TempDir(), "got")
	require.NoError(t, plan(t, source, ctJob(t, "w4a16"), 1<<14).WriteFolder(context.Background(), want, WriteOptions{}))
	in, err := OpenFS(os.DirFS(source))
	require.NoError(t, err)
	p, err := NewPlan(in, ctJob(t, "w4a16"), 1<<14)
	require.NoError(t, err)
	require.NoError(t, p.WriteFolder(context.Background(), got, WriteOptions{}))
	require.NoError(t, in.Close())
	entries, err := os.ReadDir(want)
	require.NoError(t, err)
	for _, e := range entries {
		a, err := os.ReadFile(filepath.Join(want, e.Name()))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(got, e.Name()))
		require.NoError(t, err)
		assert.True(t, string(a) == string(b), e.Name())
	}
}

// versioned is a file system whose files have versions.
type versioned struct {
	fstest.MapFS
	version string
}

type versionedInfo struct {
	fs.FileInfo
	version string
}

func (v versioned) Stat(name string) (fs.FileInfo, error) {
	info, err := v.MapFS.Stat(name)
	return versionedInfo{info, v.version}, err
}

func (i versionedInfo) Version() string { return i.version }

// What a file system says of versions tells one plan from another.
func TestDigestOfVersions(t *testing.T) {
	weights, err := os.ReadFile("testdata/ct/source/model.safetensors")
	require.NoError(t, err)
	digest := func(version string) string {
		in, err := OpenFS(versioned{fstest.MapFS{"model.safetensors": {Data: weights}}, version})
		require.NoError(t, err)
		p, err := NewPlan(in, ctJob(t, "w4a16"), 1<<14)
		require.NoError(t, err)
		d, err := p.Digest()
		require.NoError(t, err)
		return d
	}
	assert.Equal(t, digest("1"), digest("1"))
	assert.NotEqual(t, digest("1"), digest("2"))
}
