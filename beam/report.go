package beam

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// kept are what this process has made for jobs, so that it is made once. What has failed is made again.
var kept = struct {
	sync.Mutex
	of map[string]any
}{of: map[string]any{}}

// keep returns what was made for a job, or makes it.
func keep[T any](j Job, make func() (T, error)) (T, error) {
	key := string(pack(j))
	kept.Lock()
	defer kept.Unlock()
	if v, ok := kept.of[key].(T); ok {
		return v, nil
	}
	v, err := make()
	if err == nil {
		kept.of[key] = v
	}
	return v, err
}

// forget drops what was made for a job.
func forget(j Job) {
	kept.Lock()
	defer kept.Unlock()
	delete(kept.of, string(pack(j)))
}

// openFile opens the place of a file to be written, and returns the file's name there.
func openFile(ctx context.Context, at string) (*place, string, error) {
	if !strings.Contains(at, "://") {
		p, err := openPlace(ctx, filepath.Dir(at))
		return p, filepath.Base(at), err
	}
	u, err := url.Parse(at)
	if err != nil {
		return nil, "", err
	}
	name := path.Base(u.Path)
	if name == "/" || name == "." {
		return nil, "", fmt.Errorf("%s://%s%s: names no file", u.Scheme, u.Host, u.Path)
	}
	u.Path = path.Dir(u.Path)
	p, err := openPlace(ctx, u.String())
	return p, name, err
}

// put writes a file, whole or not at all.
func (p *place) put(ctx context.Context, name string, content []byte) error {
	if p.bucket != nil {
		return putObject(ctx, p.bucket, name, bytes.NewReader(content))
	}
	f, err := os.CreateTemp(p.dir, "."+name+stageSuffix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // unless it is renamed
	if _, err = f.Write(content); err == nil {
		if err = f.Chmod(0o644); err == nil {
			err = f.Sync()
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(p.dir, name))
}
