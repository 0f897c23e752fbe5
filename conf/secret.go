package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// maxSecret is the size of the largest file that is read for a secret, bytes.
const maxSecret = 64 << 10

var fromEnvironment = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// secretFile is the value of NAME_file: there is nothing to keep, since the
// contents go to the secret.
type secretFile struct{}

func (secretFile) String() string   { return "" }
func (secretFile) Set(string) error { return nil }

// hidden tells whether what is written for the option is not to be shown.
func (o *Option) hidden() bool { return o.secret || o.holder != nil }

// twice tells whether both a secret and its file are given.
func (o *Option) twice() bool {
	other := o.holder
	if o.secret {
		other = o.file
	}
	return other != nil && other.given != nil
}

func (o *Option) secretName() string {
	if o.holder != nil {
		return o.holder.Name
	}
	return o.Name
}

// fromLine sets a secret from its line in the configuration.
func (o *Option) fromLine(value string) error {
	m := fromEnvironment.FindStringSubmatch(value)
	if m == nil {
		return o.keep(value)
	}
	v := os.Getenv(m[1])
	if v == "" {
		return ErrUnset
	}
	return o.keep(v)
}

// fromFile sets a secret from the contents of a file, without the line break at
// its end.
func (o *Option) fromFile(name string) error {
	b, err := readRegular(name, maxSecret)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // without the name
	}
	if err != nil {
		return fmt.Errorf("the file it names cannot be read: %w", err)
	}
	v := strings.TrimRight(string(b), "\r\n")
	if v == "" {
		return errors.New("the file it names is empty")
	}
	return o.keep(v)
}

func (o *Option) keep(secret string) error {
	if o.value.Set(secret) != nil {
		return errors.New("its value is not right") // the error could show it
	}
	return nil
}

// readRegular reads a file of at most limit bytes. Anything but a regular file
// is an error: a named pipe could block the broker's start for ever.
func readRegular(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}
