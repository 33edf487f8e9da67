package beam

import (
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// snapshot is a place as it was at a time: a file system of the files that were there, which does not read one that has changed since.
type snapshot struct {
	*place
	ctx   context.Context
	files map[string]File
	dirs  map[string][]fs.DirEntry
}

func newSnapshot(ctx context.Context, p *place, files []File) *snapshot {
	s := &snapshot{p, ctx, map[string]File{}, map[string][]fs.DirEntry{".": nil}}
	for _, f := range files {
		s.files[f.Name] = f
		var entry fs.DirEntry = fs.FileInfoToDirEntry(fileInfo{f})
		for at := f.Name; at != "."; {
			dir := path.Dir(at)
			known := s.dirs[dir] != nil
			s.dirs[dir] = append(s.dirs[dir], entry)
			if known || dir == "." {
				break
			}
			entry, at = fs.FileInfoToDirEntry(dirInfo(dir)), dir
		}
	}
	for _, entries := range s.dirs {
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return s
}

// Stat tells of a file or a folder.
func (s *snapshot) Stat(name string) (fs.FileInfo, error) {
	if f, ok := s.files[name]; ok {
		return fileInfo{f}, nil
	}
	if _, ok := s.dirs[name]; ok {
		return dirInfo(name), nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// ReadDir lists a folder.
func (s *snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	if entries, ok := s.dirs[name]; ok {
		return slices.Clone(entries), nil
	}
	return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
}

// Open opens a file.
func (s *snapshot) Open(name string) (fs.File, error) {
	f, ok := s.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	o := &object{s: s, File: f}
	o.SectionReader = io.NewSectionReader(whole{o}, 0, f.Size)
	return o, nil
}

// object is an open file. It holds nothing open.
type object struct {
	s *snapshot
	File
	*io.SectionReader // makes Read of ReadAt
}

// Stat tells of the file.
func (o *object) Stat() (fs.FileInfo, error) { return fileInfo{o.File}, nil }

// Close has nothing to close.
func (o *object) Close() error { return nil }

// Size is the file's.
func (o *object) Size() int64 { return o.File.Size }

// whole reads the ranges of an object.
type whole struct{ *object }

// ReadAt reads a range, all of it or an error.
func (w whole) ReadAt(p []byte, off int64) (int, error) {
	if err := w.s.read(w.s.ctx, w.File, p, off); err != nil {
		return 0, err
	}
	return len(p), nil
}

// fileInfo tells of a file.
type fileInfo struct{ f File }

// Name is the name in its folder.
func (i fileInfo) Name() string       { return path.Base(i.f.Name) }
func (i fileInfo) Size() int64        { return i.f.Size }
func (i fileInfo) Mode() fs.FileMode  { return 0o444 }
func (i fileInfo) ModTime() time.Time { return i.f.Time }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// Version tells one state of the file from another, for Plan.Digest.
func (i fileInfo) Version() string { return i.f.Version }

// dirInfo tells of a folder of that path.
type dirInfo string

// Name is the name in the folder above.
func (i dirInfo) Name() string       { return path.Base(string(i)) }
func (i dirInfo) Size() int64        { return 0 }
func (i dirInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (i dirInfo) ModTime() time.Time { return time.Time{} }
func (i dirInfo) IsDir() bool        { return true }
func (i dirInfo) Sys() any           { return nil }
