package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

const (
	lengthSize  = 8           // the header's length
	maxHeader   = 100_000_000 // the format's limit
	maxData     = math.MaxInt64 - lengthSize - maxHeader
	metadataKey = "__metadata__"
)

// header is what the JSON object says. Names, shapes and metadata share the text's memory as far as they are written there as they are.
type header struct {
	metadata map[string]string // nil if absent
	tensors  []Info            // in the order of the text
	byName   []uint32          // positions in tensors, sorted by the tensors' names
}

// newHeader indexes the tensors by their names, none of which may be there twice.
func newHeader(metadata map[string]string, tensors []Info) (*header, error) {
	h := &header{metadata, tensors, order(tensors, func(a, b *Info) int { return strings.Compare(a.Name, b.Name) })}
	for i := 1; i < len(h.byName); i++ {
		if name := tensors[h.byName[i]].Name; name == tensors[h.byName[i-1]].Name {
			return nil, errorf(name, "named twice")
		}
	}
	return h, nil
}

// dataSize is the number of bytes of the data, which has no holes.
func (h *header) dataSize() (n int64) {
	for i := range h.tensors {
		n += h.tensors[i].Size
	}
	return n
}

// find gives the position of a tensor, -1 if there is none of that name.
func (h *header) find(name string) int {
	i, ok := slices.BinarySearchFunc(h.byName, name, func(i uint32, name string) int { return strings.Compare(h.tensors[i].Name, name) })
	if !ok {
		return -1
	}
	return int(h.byName[i])
}

// fewest is how many bytes the text has for a tensor at least.
const fewest = len(`"":{"dtype":"U8","shape":[],"data_offsets":[0,1]}`)

// parseHeader reads and checks a header in front of dataSize bytes of data. Its errors lack the file's name.
func parseHeader(text string, dataSize int64) (*header, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("header is not valid UTF-8")
	}
	// Memory for all tensors at once, and for no more than the text can have: to grow a slice would take twice as much.
	tensors := make([]Info, 0, min(strings.Count(text, "{"), len(text)/fewest+1))
	var metadata map[string]string
	s := &scanner{text: text}
	seen := false
	err := s.object(func(name string) (err error) {
		if name == metadataKey {
			if seen {
				return fmt.Errorf("%s given twice in the header", metadataKey)
			}
			seen = true
			metadata, err = scanMetadata(s)
			return err
		}
		info, err := scanInfo(s, name)
		if err != nil {
			return &Error{Tensor: name, Err: err}
		}
		tensors = append(tensors, info)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	h, err := newHeader(metadata, tensors)
	if err != nil {
		return nil, err
	}
	if err := checkCover(h.tensors, dataSize); err != nil {
		return nil, err
	}
	return h, nil
}

func scanMetadata(s *scanner) (map[string]string, error) {
	if s.null() {
		return nil, nil
	}
	metadata := map[string]string{}
	err := s.object(func(key string) error {
		if _, twice := metadata[key]; twice {
			return fmt.Errorf("key %s given twice", tensorfile.Quote(key))
		}
		value, err := s.string()
		metadata[key] = value
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataKey, err)
	}
	return metadata, nil
}

// scanInfo reads what the header says of a tensor and holds the size of its data against type and shape.
func scanInfo(s *scanner, name string) (Info, error) {
	fields := infoFields{s: s, info: Info{Name: name}}
	if err := s.object(fields.scan); err != nil {
		return Info{}, err
	}
	for _, f := range [...]struct {
		name string
		seen bool
	}{{"dtype", fields.dtype}, {"shape", fields.shape}, {"data_offsets", fields.offsets}} {
		if !f.seen {
			return Info{}, fmt.Errorf("field %q is missing", f.name)
		}
	}
	info := fields.info
	size, err := byteSize(info.DType, info.Shape)
	if err != nil {
		return Info{}, err
	}
	if size != info.Size {
		return Info{}, fmt.Errorf("shape %s of %v needs %d bytes, %s hold %d", info.Shape.short(), info.DType, size, info.rangeText(), info.Size)
	}
	return info, nil
}

// infoFields are the fields of a tensor's object as far as they are read.
type infoFields struct {
	s                     *scanner
	info                  Info
	dtype, shape, offsets bool // seen
}

// scan reads the value of a field. One that the format does not know is passed over, as the format's own library does.
func (f *infoFields) scan(key string) (err error) {
	var seen *bool
	var scan func() error
	switch key {
	case "dtype":
		seen, scan = &f.dtype, f.scanDType
	case "shape":
		seen, scan = &f.shape, f.scanShape
	case "data_offsets":
		seen, scan = &f.offsets, f.scanOffsets
	default:
		if err := f.s.skip(0); err != nil {
			return fmt.Errorf("%s: %w", tensorfile.Quote(key), err)
		}
		return nil
	}
	if *seen {
		return fmt.Errorf("field %q given twice", key)
	}
	*seen = true
	if err := scan(); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (f *infoFields) scanDType() error {
	text, err := f.s.string()
	if err != nil {
		return err
	}
	f.info.DType, err = ParseDType(text)
	return err
}

func (f *infoFields) scanShape() error {
	f.s.peek()
	start := f.s.pos + 1
	err := f.s.array(func() error {
		n, err := f.s.integer()
		if err == nil && n > math.MaxInt {
			err = f.s.fail("number too large")
		}
		return err
	})
	if err == nil {
		f.info.Shape.text = withoutSpace(f.s.text[start : f.s.pos-1])
	}
	return err
}

func (f *infoFields) scanOffsets() error {
	var offsets [2]int64
	n := 0
	err := f.s.array(func() (err error) {
		if n == len(offsets) {
			return f.s.fail("want two numbers, have more")
		}
		offsets[n], err = f.s.integer()
		n++
		return err
	})
	switch begin, end := offsets[0], offsets[1]; {
	case err != nil:
		return err
	case n != len(offsets):
		return fmt.Errorf("want two numbers, have %d", n)
	case begin > end:
		return fmt.Errorf("[%d, %d] run backwards", begin, end)
	default:
		f.info.Offset, f.info.Size = begin, end-begin
		return nil
	}
}

// headerSize is about how long the header's text is: no shorter, unless much of it is escaped.
func headerSize(metadata map[string]string, tensors []Info) int {
	n := 64
	for key, value := range metadata {
		n += len(key) + len(value) + strings.Count(value, `"`) + len(`"":"",`)
	}
	for _, t := range tensors {
		n += len(t.Name) + len(t.Shape.text) + len(`"":{"dtype":"","shape":[],"data_offsets":[,]},`) + len(t.DType.String()) + 2*len(strconv.FormatInt(t.Offset+t.Size, 10))
	}
	return n
}

// appendHeader writes the header's text, padded so that the data behind it begins at a multiple of 8. Metadata is sorted by its keys.
func appendHeader(text []byte, metadata map[string]string, tensors []Info) []byte {
	start := len(text)
	text = slices.Grow(text, headerSize(metadata, tensors))
	text = append(text, '{')
	separator := ""
	if metadata != nil {
		text = append(text, `"`+metadataKey+`":{`...)
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			text = append(text, separator...)
			text = appendString(text, key)
			text = append(text, ':')
			text = appendString(text, metadata[key])
			separator = ","
		}
		text = append(text, '}')
		separator = ","
	}
	for _, t := range tensors {
		text = append(text, separator...)
		text = appendString(text, t.Name)
		text = append(text, `:{"dtype":"`+t.DType.String()+`","shape":[`...)
		text = append(text, t.Shape.text...)
		text = fmt.Appendf(text, `],"data_offsets":[%d,%d]}`, t.Offset, t.Offset+t.Size)
		separator = ","
	}
	text = append(text, '}')
	for (len(text)-start)%lengthSize != 0 {
		text = append(text, ' ')
	}
	return text
}

// appendString writes valid UTF-8 as a JSON string.
func appendString(text []byte, s string) []byte {
	text = append(text, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		text = append(text, s[start:i]...)
		start = i + 1
		if c < 0x20 {
			text = fmt.Appendf(text, `\u%04x`, c)
		} else {
			text = append(text, '\\', c)
		}
	}
	text = append(text, s[start:]...)
	return append(text, '"')
}
