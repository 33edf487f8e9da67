package checkpoint

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/lowbit-go/lowbit/internal/outfile"
)

// noteSuffix is what the name of a note ends in.
const noteSuffix = ".lowbit-note"

// WriteFolder carries a plan out: it writes the shards, the new config.json and index, and, unless the input was a single file, copies every
// other file of its folder. The folder appears under its name only when it is whole. Until then it lies beside, hidden, as
// .NAME.lowbit-DIGEST. A run that was killed leaves it there, and the next run of the same plan takes it up: shards that are whole are not
// done again. A run that fails removes it; one that ctx ends does not. While a run goes on, another of the same plan to the same path fails and
// changes nothing. When the folder is whole, what killed runs of other plans have left for the same path is removed too, as nobody can take it
// up any more.
func (p *Plan) WriteFolder(ctx context.Context, path string, o WriteOptions) (err error) {
	if path, err = placeOf(path); err != nil {
		return inFile(path, err)
	}
	if err := wantEmpty(path); err != nil {
		return err
	}
	digest, err := p.Digest()
	if err != nil {
		return err
	}
	stage := stagePrefix(path) + digest
	above := missingAbove(stage)
	defer func() {
		if err != nil && ctx.Err() == nil {
			for _, folder := range above {
				os.Remove(folder) // unless others have put something there
			}
		}
	}()
	own, err := outfile.MakeFolder(stage)
	switch {
	case errors.Is(err, outfile.ErrInUse):
		return inFile(path, err)
	case err != nil:
		return inFile(stage, err)
	}
	defer own.Release()
	defer func() {
		if err != nil && ctx.Err() == nil {
			os.RemoveAll(stage)
		}
	}()
	whole, err := p.takeUp(stage, o.Restart)
	if err != nil {
		return err
	}
	var others []string
	if p.in.inFolder() {
		if others, err = p.OtherFiles(func(folder string) bool {
			folder = p.in.pathOf(folder)
			return sameFile(path, folder) || sameFile(stage, folder)
		}); err != nil {
			return err
		}
	}
	if err := p.checkSpace(stage, whole, others); err != nil {
		return err
	}

	paths := make([]string, len(p.Shards))
	for i := range p.Shards {
		s := &p.Shards[i]
		if !whole[s.Name] {
			paths[i] = filepath.Join(stage, s.Name)
		} else if o.Noted != nil {
			note, err := os.ReadFile(filepath.Join(stage, s.Name+noteSuffix))
			if err != nil {
				note = nil
			}
			o.Noted(s, note)
		}
	}
	if err := p.run(ctx, paths, o); err != nil {
		return err
	}
	if err := p.complete(ctx, stage, others); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return inFile(path, err)
	}
	if err := os.Rename(stage, path); err != nil {
		return inFile(path, err)
	}
	removeStages(path)
	return nil
}

// complete makes a folder of whole shards the output: it removes notes, and puts what is not weights beside the shards.
func (p *Plan) complete(ctx context.Context, stage string, others []string) error {
	for _, s := range p.Shards {
		note := filepath.Join(stage, s.Name+noteSuffix)
		if err := os.Remove(note); err != nil && !errors.Is(err, os.ErrNotExist) {
			return inFile(note, err)
		}
	}
	for _, name := range others {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.in.copyFile(filepath.Join(stage, filepath.FromSlash(name)), name); err != nil {
			return err
		}
	}
	if p.Config != nil {
		if err := writeText(filepath.Join(stage, configFile), p.Config); err != nil {
			return err
		}
	}
	if p.Index != nil {
		if err := writeText(filepath.Join(stage, p.IndexName()), p.Index); err != nil {
			return err
		}
	}
	return nil
}

// placeOf returns a name for a folder beside which others can lie: where a link leads, and what "." is called.
func placeOf(path string) (string, error) {
	path = filepath.Clean(path)
	if stat, err := os.Lstat(path); err == nil && stat.Mode()&os.ModeSymlink != 0 {
		place, err := outfile.Resolve(path)
		if err != nil {
			return path, err
		}
		return place, nil
	}
	if base := filepath.Base(path); base == "." || base == ".." {
		return filepath.Abs(path)
	}
	return path, nil
}

// stagePrefix is what the names of all folders begin with that lie beside path until it is whole. A digest follows.
func stagePrefix(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lowbit-")
}

// removeStages removes what runs of other plans have left. That it cannot is no reason to fail: path is whole.
func removeStages(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	prefix := filepath.Base(stagePrefix(path))
	for _, e := range entries {
		digest, ok := strings.CutPrefix(e.Name(), prefix)
		if b, err := hex.DecodeString(digest); ok && err == nil && len(b) == digestBytes && e.IsDir() {
			outfile.RemoveFolder(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// missingAbove lists the folders that are made with one of that path, the innermost first.
func missingAbove(path string) (folders []string) {
	for {
		path = filepath.Dir(path)
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			return folders
		}
		folders = append(folders, path)
	}
}

// wantEmpty refuses a folder that has something in it, and what is no folder.
func wantEmpty(path string) error {
	if stat, err := os.Stat(path); err == nil && !stat.IsDir() {
		return inFile(path, errors.New("is a file, and what is written is a folder"))
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return inFile(path, err)
	case len(entries) > 0:
		return inFile(path, errors.New("exists and is not empty"))
	}
	return nil
}

// takeUp finds the shards that an earlier run has finished, unless all begins anew, and removes all else that it has left.
func (p *Plan) takeUp(stage string, anew bool) (whole map[string]bool, err error) {
	entries, err := os.ReadDir(stage)
	if err != nil {
		return nil, inFile(stage, err)
	}
	whole = map[string]bool{}
	for _, s := range p.Shards {
		if !anew && isWhole(filepath.Join(stage, s.Name), s) {
			whole[s.Name] = true
		}
	}
	for _, e := range entries {
		if !whole[strings.TrimSuffix(e.Name(), noteSuffix)] {
			if err := os.RemoveAll(filepath.Join(stage, e.Name())); err != nil {
				return nil, inFile(stage, err)
			}
		}
	}
	return whole, nil
}

// isWhole tells whether a file is the shard. Files take their names when they are whole.
func isWhole(path string, s Shard) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil || stat.Size() != s.Size {
		return false
	}
	head := make([]byte, len(s.Head))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == string(s.Head)
}

// checkSpace refuses work whose results do not fit the disk.
func (p *Plan) checkSpace(stage string, whole map[string]bool, others []string) error {
	need := int64(0)
	for _, s := range p.Shards {
		if !whole[s.Name] {
			need += s.Size
		}
	}
	for _, name := range others {
		if stat, err := p.in.disk.stat(p.in.pathOf(name)); err == nil {
			need += stat.Size()
		}
	}
	if free, ok := freeSpace(stage); ok && need > free {
		return inFile(filepath.Dir(stage), fmt.Errorf("has %d bytes free, want %d", free, need))
	}
	return nil
}

// writeText writes a small file.
func writeText(path string, text []byte) error {
	if err := os.WriteFile(path, text, 0o666); err != nil {
		return inFile(path, err)
	}
	return nil
}

// pathOf is where a file of the input's folder is, of a name with slashes.
func (c *Checkpoint) pathOf(name string) string {
	return filepath.Join(c.folder, filepath.FromSlash(name))
}

// copyFile copies a file of the folder, and makes the folder that it is to be in.
func (c *Checkpoint) copyFile(to, name string) (err error) {
	in, err := c.disk.open(c.pathOf(name))
	if err != nil {
		return inFile(c.pathOf(name), err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return inFile(to, err)
	}
	out, err := os.Create(to)
	if err != nil {
		return inFile(to, err)
	}
	defer func() {
		if e := out.Close(); e != nil && err == nil {
			err = inFile(to, e)
		}
	}()
	if _, err := io.Copy(out, in); err != nil {
		return inFile(to, err)
	}
	return nil
}
