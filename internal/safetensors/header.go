package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	lengthSize  = 8           // the header's length
	maxHeader   = 100_000_000 // the format's limit
	maxData     = math.MaxInt64 - lengthSize - maxHeader
	metadataKey = "__metadata__"
)

// header is what the JSON object says.
type header struct {
	metadata map[string]string // nil if absent
	tensors  []Info            // in the order of the text
	index    map[string]int    // name to position in tensors
}

// parseHeader reads and checks a header in front of dataSize bytes of data. Its errors lack the file's name.
func parseHeader(text string, dataSize int64) (*header, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, errors.New("header does not begin with '{'")
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("header is not valid UTF-8")
	}
	h := &header{index: map[string]int{}}
	s := &scanner{text: text}
	err := s.object(func(name string) error {
		if name == metadataKey {
			return h.scanMetadata(s)
		}
		if _, twice := h.index[name]; twice {
			return errorf(name, "named twice in the header")
		}
		info, err := scanInfo(s, name)
		if err != nil {
			return &Error{Tensor: name, Err: err}
		}
		h.index[name] = len(h.tensors)
		h.tensors = append(h.tensors, info)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	if err := checkCover(h.tensors, dataSize); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *header) scanMetadata(s *scanner) error {
	if h.metadata != nil {
		return fmt.Errorf("%s given twice in the header", metadataKey)
	}
	h.metadata = map[string]string{}
	err := s.object(func(key string) error {
		if _, twice := h.metadata[key]; twice {
			return fmt.Errorf("key %s given twice", quote(key))
		}
		value, err := s.string()
		h.metadata[key] = value
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", metadataKey, err)
	}
	return nil
}

// scanInfo reads what the header says of a tensor and holds the size of its data against type and shape.
func scanInfo(s *scanner, name string) (Info, error) {
	info := Info{Name: name, Shape: []int{}}
	var offsets []int64
	fields := [...]struct {
		name string
		seen bool
		scan func() error
	}{
		{name: "dtype", scan: func() error {
			text, err := s.string()
			if err != nil {
				return err
			}
			info.DType, err = ParseDType(text)
			return err
		}},
		{name: "shape", scan: func() error {
			return s.array(func() error {
				n, err := s.integer()
				if err == nil && n > math.MaxInt {
					err = s.fail("number too large")
				}
				info.Shape = append(info.Shape, int(n))
				return err
			})
		}},
		{name: "data_offsets", scan: func() error {
			return s.array(func() error {
				if len(offsets) == 2 {
					return s.fail("want two numbers, have more")
				}
				n, err := s.integer()
				offsets = append(offsets, n)
				return err
			})
		}},
	}
	err := s.object(func(key string) error {
		for i := range fields {
			f := &fields[i]
			if f.name != key {
				continue
			}
			if f.seen {
				return fmt.Errorf("field %q given twice", key)
			}
			f.seen = true
			if err := f.scan(); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			return nil
		}
		return fmt.Errorf("unknown field %s", quote(key))
	})
	if err != nil {
		return info, err
	}
	for _, f := range fields {
		if !f.seen {
			return info, fmt.Errorf("field %q is missing", f.name)
		}
	}

	if len(offsets) != 2 {
		return info, fmt.Errorf("data_offsets: want two numbers, have %d", len(offsets))
	}
	begin, end := offsets[0], offsets[1]
	if begin > end {
		return info, fmt.Errorf("data_offsets [%d, %d] run backwards", begin, end)
	}
	info.Offset, info.Size = begin, end-begin
	size, err := byteSize(info.DType, info.Shape)
	if err != nil {
		return info, err
	}
	if size != info.Size {
		return info, fmt.Errorf("shape %s of %v needs %d bytes, %s hold %d", shapeText(info.Shape), info.DType, size, info.rangeText(), info.Size)
	}
	return info, nil
}

// appendHeader writes the header's text, padded so that the data behind it begins at a multiple of 8. Metadata is sorted by its keys.
func appendHeader(text []byte, metadata map[string]string, tensors []Info) []byte {
	start := len(text)
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
		for axis, d := range t.Shape {
			if axis > 0 {
				text = append(text, ',')
			}
			text = strconv.AppendInt(text, int64(d), 10)
		}
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
