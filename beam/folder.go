package beam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// folderOutput makes a folder. Its stage is a folder beside it, with the files, which are written in place, and a mark for each span that is
// written and forced to the disk.
type folderOutput struct {
	*work
	path string
}

const stageSuffix = ".lowbit-beam-"

func (o *folderOutput) stageOf(digest string) string {
	return filepath.Join(filepath.Dir(o.path), "."+filepath.Base(o.path)+stageSuffix+digest)
}
func (o *folderOutput) root() string { return o.stageOf(o.digest) }
func (o *folderOutput) file(name string) string {
	return filepath.Join(o.root(), "files", filepath.FromSlash(name))
}
func (o *folderOutput) marks(target int) string {
	return filepath.Join(o.root(), "marks", strconv.Itoa(target))
}

func (o *folderOutput) begin(context.Context) error {
	switch entries, err := os.ReadDir(o.path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s: exists, is not empty and is not what this job makes", o.path)
	}
	if o.job.Restart {
		if err := os.RemoveAll(o.root()); err != nil {
			return err
		}
	}
	for _, dir := range []string{"files", "marks"} {
		if err := os.MkdirAll(filepath.Join(o.root(), dir), 0o777); err != nil {
			return err
		}
	}
	return nil
}

func (o *folderOutput) prepare(_ context.Context, target int) (staged []span, err error) {
	t := &o.targets[target]
	entries, err := os.ReadDir(o.marks(target))
	if err == nil { // they are made after the file
		for _, e := range entries {
			if s, ok := parseSpan(e.Name()); ok {
				staged = append(staged, s)
			}
		}
		return staged, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(o.file(t.name)), 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(o.file(t.name), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(t.size); err == nil {
		_, err = f.WriteAt(t.head, 0)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.marks(target), 0o777); err != nil {
		return nil, err
	}
	return nil, nil
}

func (o *folderOutput) stage(_ context.Context, target int, s span) (staging, error) {
	f, err := os.OpenFile(o.file(o.targets[target].name), os.O_WRONLY, 0)
	return &folderStaging{File: f, mark: filepath.Join(o.marks(target), s.String())}, err
}

// folderStaging writes in place.
type folderStaging struct {
	*os.File
	mark string
}

func (s *folderStaging) write(_ int, results []result) error {
	for _, r := range results {
		if _, err := s.WriteAt(r.data, r.off); err != nil {
			return err
		}
	}
	return nil
}

// commit forces the data to the disk, and then marks it.
func (s *folderStaging) commit() error {
	if err := errors.Join(s.Sync(), s.Close()); err != nil {
		return err
	}
	return os.WriteFile(s.mark, nil, 0o666)
}

func (s *folderStaging) abort() { s.Close() }

func (o *folderOutput) join(ctx context.Context, target int) error { return nil } // it lies in one file

func (o *folderOutput) copy(ctx context.Context, f File) error {
	in, err := o.in.Open(f.Name)
	if err != nil {
		return err
	}
	return o.put(f.Name, in)
}

// put writes a small file of the stage.
func (o *folderOutput) put(name string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(o.file(name)), 0o777); err != nil {
		return err
	}
	f, err := os.Create(o.file(name))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}

func (o *folderOutput) finish(ctx context.Context) error {
	for _, t := range o.texts {
		if err := o.put(t.name, bytes.NewReader(t.content)); err != nil {
			return err
		}
	}
	if err := os.Remove(o.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder
		return err
	}
	return os.Rename(filepath.Join(o.root(), "files"), o.path)
}

func (o *folderOutput) drop(context.Context) error {
	stages, err := filepath.Glob(globQuote(o.stageOf("")) + "*")
	for _, s := range stages {
		err = errors.Join(err, os.RemoveAll(s))
	}
	return err
}

// globQuote makes a path one that matches itself.
func globQuote(path string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(path)
}
