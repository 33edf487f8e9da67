package beam

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeS3 is as much of S3 as the pipeline uses, on the loopback address, and fails now and then.
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string]s3Object
	uploads map[string]map[int][]byte
	fails   int // every so many requests one fails, or its body breaks off; 0 is never
	count   int
	failed  int
}

type s3Object struct {
	data []byte
	time time.Time
}

// newFakeS3 starts one, and returns the URL of a bucket in it without a prefix.
func newFakeS3(t *testing.T) (*fakeS3, func(prefix string) string) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	f := &fakeS3{objects: map[string]s3Object{}, uploads: map[string]map[int][]byte{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, func(prefix string) string {
		return "s3://bucket/" + prefix + "?region=us-east-1&use_path_style=true&endpoint=" + server.URL
	}
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	body, err := readS3Body(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fail := f.fails > 0 && f.count%f.fails == 0
	if fail {
		f.failed++
	}
	if fail && f.failed%4 == 0 { // the library waits before it tries again
		http.Error(w, "<Error><Code>InternalError</Code></Error>", http.StatusInternalServerError)
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodGet && q.Get("list-type") == "2":
		f.list(w, q.Get("prefix"))
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		f.get(w, r, key, fail)
	case r.Method == http.MethodPost && q.Has("uploads"):
		id := strconv.Itoa(f.count)
		f.uploads[id] = map[int][]byte{}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == http.MethodPut && q.Has("uploadId"):
		n, _ := strconv.Atoi(q.Get("partNumber"))
		f.uploads[q.Get("uploadId")][n] = body
		w.Header().Set("ETag", `"part"`)
	case r.Method == http.MethodPost && q.Has("uploadId"):
		parts := f.uploads[q.Get("uploadId")]
		var all []byte
		for _, n := range slices.Sorted(maps.Keys(parts)) {
			all = append(all, parts[n]...)
		}
		f.objects[key] = s3Object{all, time.Now()}
		fmt.Fprint(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	case r.Method == http.MethodPut:
		f.objects[key] = s3Object{body, time.Now()}
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		delete(f.uploads, q.Get("uploadId"))
	case r.Method == http.MethodDelete:
		delete(f.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, r.Method+" "+r.URL.String(), http.StatusNotImplemented)
	}
}

// readS3Body reads a request's body, which may be in chunks of AWS's own.
func readS3Body(r *http.Request) ([]byte, error) {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return io.ReadAll(r.Body)
	}
	in, out := bufio.NewReader(r.Body), []byte{}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n == 0 {
			_, e := io.Copy(io.Discard, in)
			return out, cmp.Or(err, e)
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		out = append(out, chunk[:n]...)
	}
}

// keys are those of the objects that there are.
func (f *fakeS3) keys(prefix string) (keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (f *fakeS3) list(w http.ResponseWriter, prefix string) {
	type entry struct {
		Key, LastModified, ETag string
		Size                    int
	}
	result := struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		IsTruncated bool
		Contents    []entry
	}{}
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if o := f.objects[key]; strings.HasPrefix(key, prefix) {
			result.Contents = append(result.Contents, entry{key, o.time.UTC().Format(time.RFC3339), o.tag(), len(o.data)})
		}
	}
	xml.NewEncoder(w).Encode(result)
}

func (o s3Object) tag() string {
	sum := md5.Sum(o.data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (f *fakeS3) get(w http.ResponseWriter, r *http.Request, key string, short bool) {
	o, ok := f.objects[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
		return
	}
	w.Header().Set("ETag", o.tag())
	if !short {
		http.ServeContent(w, r, "", o.time, bytes.NewReader(o.data))
		return
	}
	var head responseHead
	head.header = w.Header()
	http.ServeContent(&head, r, "", o.time, bytes.NewReader(o.data))
	w.WriteHeader(head.code)
	w.Write(head.body.Bytes()[:head.body.Len()/2]) // less than Content-Length says: the connection breaks off
}

// responseHead gathers a response.
type responseHead struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (h *responseHead) Header() http.Header         { return h.header }
func (h *responseHead) WriteHeader(code int)        { h.code = code }
func (h *responseHead) Write(p []byte) (int, error) { return h.body.Write(p) }

// An upload that is given up does not appear.
func TestAbortedWrite(t *testing.T) {
	s3, at := newFakeS3(t)
	for _, url := range []string{at("x"), "mem://aborted/x"} {
		p, err := openPlace(t.Context(), url)
		require.NoError(t, err)
		err = putObject(t.Context(), p.bucket, "gone", io.MultiReader(bytes.NewReader(make([]byte, 6<<20)), brokenReader{}))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		files, err := p.list(t.Context())
		require.NoError(t, err)
		require.Empty(t, files)
	}
	require.Empty(t, s3.objects)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
