package safetensors

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var scalar = []Info{{Name: "x", DType: U8}}

func unixOnly(t *testing.T) {
	t.Helper()
	switch runtime.GOOS {
	case "windows", "js", "wasip1", "plan9":
		t.Skip("about Unix files")
	}
}

func TestPermissions(t *testing.T) {
	unixOnly(t)
	dir := t.TempDir()
	perm := func(name string) fs.FileMode {
		stat, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		return stat.Mode()
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ordinary"), nil, 0o666))
	writeAll(t, filepath.Join(dir, "new"), nil, scalar)
	assert.Equal(t, perm("ordinary"), perm("new"))

	for _, mode := range []fs.FileMode{0o600, 0o640, 0o666, 0o777} {
		path := filepath.Join(dir, "kept")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chmod(path, mode))
		writeAll(t, path, nil, scalar)
		assert.Equal(t, mode, perm("kept"))
	}
}

func TestTargetIsALink(t *testing.T) {
	unixOnly(t)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "far", "deep"), 0o777))
	require.NoError(t, os.Symlink(filepath.Join("far", "deep"), filepath.Join(dir, "near")))
	for _, c := range []struct{ name, link, final string }{
		{"to a file", "far/model", "far/model"},
		{"absolute", filepath.Join(dir, "far", "absolute"), "far/absolute"},
		{"dangling", "far/new", "far/new"},
		{"through a linked folder", "near/../other", "far/other"},
		{"to another link", "to a file", "far/model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			final := filepath.Join(dir, filepath.FromSlash(c.final))
			if c.name != "dangling" {
				require.NoError(t, os.WriteFile(final, []byte("earlier"), 0o666))
			}
			link := filepath.Join(dir, c.name)
			require.NoError(t, os.Symlink(c.link, link))
			writeAll(t, link, nil, scalar)
			stat, err := os.Lstat(link)
			require.NoError(t, err)
			assert.NotZero(t, stat.Mode()&fs.ModeSymlink)
			stat, err = os.Lstat(final)
			require.NoError(t, err)
			assert.True(t, stat.Mode().IsRegular())
			f, err := Open(link)
			require.NoError(t, err)
			assert.NoError(t, f.Close())
		})
	}
	assert.ElementsMatch(t, []string{"deep", "model", "absolute", "new", "other"}, names(t, filepath.Join(dir, "far")))

	loop := filepath.Join(dir, "loop")
	require.NoError(t, os.Symlink("loop", loop))
	_, err := Create(loop, nil, scalar)
	assert.EqualError(t, err, loop+": too many levels of symbolic links")
}

func TestTargetBesideWhereItIsWritten(t *testing.T) {
	t.Chdir(t.TempDir())
	writeAll(t, "plain", nil, scalar)
	assert.Equal(t, []string{"plain"}, names(t, "."))
}

func TestPlacesThatCannotBeWritten(t *testing.T) {
	unixOnly(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("earlier"), 0o666))
	for _, c := range []struct{ path, want string }{
		{"", "the name of the file to write is empty"},
		{dir, dir + ": is a directory"},
		{dir + "/", dir + "/: is a directory"},
		{dir + "/new/", dir + "/new/: no such file or directory"},
		{dir + "/none/out", dir + "/none/out: no such file or directory"},
		{file + "/out", file + "/out: not a directory"},
	} {
		_, err := Create(c.path, nil, scalar)
		assert.EqualError(t, err, c.want)
	}
	assert.Equal(t, []string{"file"}, names(t, dir))
	assert.Equal(t, "earlier", readFile(t, file))
}

func TestTargetBecomesADirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	w, err := Create(path, nil, scalar)
	require.NoError(t, err)
	require.NoError(t, w.WriteTensor("x", make([]byte, 1), 0))
	require.NoError(t, os.MkdirAll(filepath.Join(path, "full"), 0o777))
	err = w.Commit()
	assert.ErrorContains(t, err, path+": ")
	assert.Equal(t, []string{"out"}, names(t, dir))
}

func TestPermissionDenied(t *testing.T) {
	unixOnly(t)
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	protected := filepath.Join(dir, "protected")
	require.NoError(t, os.WriteFile(protected, []byte("earlier"), 0o444))
	_, err := Create(protected, nil, scalar)
	assert.EqualError(t, err, protected+": permission denied")

	require.NoError(t, os.Chmod(dir, 0o555))
	defer os.Chmod(dir, 0o777)
	path := filepath.Join(dir, "new")
	_, err = Create(path, nil, scalar)
	assert.EqualError(t, err, path+": cannot create a file beside it: permission denied")
	assert.ErrorIs(t, err, fs.ErrPermission)
	assert.Equal(t, []string{"protected"}, names(t, dir))
}
