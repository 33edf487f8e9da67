package beam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://container/prefix
	_ "gocloud.dev/blob/gcsblob"   // gs://bucket/prefix
	_ "gocloud.dev/blob/memblob"   // mem://name/prefix
	_ "gocloud.dev/blob/s3blob"    // s3://bucket/prefix?region=...
	"gocloud.dev/gcerrors"
)

// place is a folder, or the objects of a bucket whose keys have a prefix.
type place struct {
	url    string       // without its query
	dir    string       // of a folder, else ""
	bucket *blob.Bucket // else nil
}

// buckets are those that this process has opened, by their URLs without the prefix.
var buckets = struct {
	sync.Mutex
	open map[string]*blob.Bucket
}{open: map[string]*blob.Bucket{}}

// openPlace opens a path or a URL.
func openPlace(ctx context.Context, at string) (*place, error) {
	if !strings.Contains(at, "://") {
		dir, err := filepath.Abs(at)
		return &place{url: at, dir: dir}, err
	}
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	p := &place{url: u.Scheme + "://" + u.Host + u.Path}
	if u.Scheme == "file" {
		if u.Host != "" || u.Path == "" || u.RawQuery != "" {
			return nil, fmt.Errorf("%s: want file:///PATH", p.url)
		}
		p.dir = filepath.Clean(filepath.FromSlash(u.Path))
		return p, nil
	}
	prefix := strings.Trim(path.Clean("/"+u.Path), "/")
	u.Path = ""
	buckets.Lock()
	defer buckets.Unlock()
	bucket := buckets.open[u.String()]
	if bucket == nil {
		if bucket, err = blob.OpenBucket(context.WithoutCancel(ctx), u.String()); err != nil {
			return nil, fmt.Errorf("%s: %w", p.url, err)
		}
		buckets.open[u.String()] = bucket
	}
	p.bucket = bucket
	if prefix != "" {
		p.bucket = blob.PrefixedBucket(bucket, prefix+"/")
	}
	return p, nil
}

// within returns the path of q in p, "" if it is not there.
func (p *place) within(q *place) string {
	at, in := p.url, q.url
	if p.dir != "" && q.dir != "" {
		at, in = filepath.ToSlash(p.dir), filepath.ToSlash(q.dir)
	}
	rest, ok := strings.CutPrefix(in, strings.TrimSuffix(at, "/")+"/")
	if !ok {
		return ""
	}
	return strings.Trim(rest, "/")
}

// File is a file of a place.
type File struct {
	Name    string // with slashes
	Size    int64
	Time    time.Time
	Version string `json:",omitempty"` // the content's MD5, if the storage keeps it
}

// same tells whether a file is as it was.
func (f File) same(g File) bool {
	return f.Name == g.Name && f.Size == g.Size && f.Time.Equal(g.Time) && f.Version == g.Version
}

// list lists the files in their order, those in hidden folders aside. There are none where there is no such place.
func (p *place) list(ctx context.Context) (files []File, err error) {
	hidden := func(name string) bool {
		dir, _ := path.Split(name)
		return strings.HasPrefix(dir, ".") || strings.Contains(dir, "/.")
	}
	if p.bucket != nil {
		objects := p.bucket.List(nil)
		for {
			o, err := objects.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.url, err)
			}
			if !o.IsDir && !hidden(o.Key) && !strings.HasSuffix(o.Key, "/") {
				files = append(files, File{o.Key, o.Size, o.ModTime, fmt.Sprintf("%x", o.MD5)})
			}
		}
	} else if stat, err := os.Stat(p.dir); err == nil && !stat.IsDir() {
		return nil, fmt.Errorf("%s: is no folder", p.url)
	} else if err := filepath.WalkDir(p.dir, func(at string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir() && at != p.dir && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.IsDir():
			return nil
		}
		stat, err := os.Stat(at) // of what a link leads to
		if err != nil || !stat.Mode().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(p.dir, at)
		files = append(files, File{Name: filepath.ToSlash(name), Size: stat.Size(), Time: stat.ModTime()})
		return err
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// missing tells whether an error is that there is no such object or file.
func missing(err error) bool {
	return gcerrors.Code(err) == gcerrors.NotFound || errors.Is(err, fs.ErrNotExist)
}

// tries is how often a range is asked for. The libraries try again where a request fails, but not where its body breaks off.
const tries = 4

// read fills buf with a file's bytes from a byte on. It is an error if the file is not as it was.
func (p *place) read(ctx context.Context, f File, buf []byte, off int64) error {
	n := 0
	err := p.again(ctx, func() error {
		m, err := p.readSome(ctx, f, buf[n:], off+int64(n))
		n += m
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// again tries again where a bucket fails.
func (p *place) again(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || p.dir != "" || try == tries || missing(err) || errors.Is(err, errChanged) || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Duration(try*try) * 50 * time.Millisecond)
	}
}

// readAll reads an object.
func (p *place) readAll(ctx context.Context, name string) (content []byte, err error) {
	err = p.again(ctx, func() error {
		content, err = p.bucket.ReadAll(ctx, name)
		return err
	})
	return content, err
}

// errChanged says that the input is no longer what it was when the job began.
var errChanged = errors.New("has changed since the job began")

func (p *place) readSome(ctx context.Context, f File, buf []byte, off int64) (int, error) {
	if p.dir != "" {
		file, err := os.Open(filepath.Join(p.dir, filepath.FromSlash(f.Name)))
		if err != nil {
			return 0, reason(err)
		}
		defer file.Close()
		n, err := file.ReadAt(buf, off)
		if stat, e := file.Stat(); e == nil && (stat.Size() != f.Size || !stat.ModTime().Equal(f.Time)) {
			return n, errChanged
		}
		if n == len(buf) {
			err = nil
		}
		return n, reason(err)
	}
	r, err := p.bucket.NewRangeReader(ctx, f.Name, off, int64(len(buf)), nil)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if r.Size() != f.Size || r.ModTime().Unix() != f.Time.Unix() { // HTTP has seconds
		return 0, errChanged
	}
	return io.ReadFull(r, buf)
}

// reason drops the path from an error of package os.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// listKeys calls f with the keys of a bucket's objects that have a prefix.
func listKeys(ctx context.Context, b *blob.Bucket, prefix string, f func(key string) error) error {
	objects := b.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(o.Key); err != nil {
			return err
		}
	}
}
