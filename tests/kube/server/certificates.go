package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// authority signs the certificates of one cluster.
type authority struct {
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// identity is who a certificate is for: a program that asks the API server, or one that is asked.
type identity struct {
	file   string
	user   string
	groups []string
}

// newAuthority writes ca.crt and ca.key.
func newAuthority(folder string) (*authority, error) {
	key, err := newKey(folder, "ca")
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "cluster for tests"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(365 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	made := &authority{folder, certificate, key}
	return made, writePEM(made.path("ca.crt"), "CERTIFICATE", der)
}

// issue writes FILE.crt and FILE.key, good for both ends of a connection.
func (a *authority) issue(who identity) error {
	key, err := newKey(a.folder, who.file)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: who.user, Organization: who.groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(364 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(firstServiceAddress)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(a.path(who.file+".crt"), "CERTIFICATE", der)
}

// kubeconfig writes FILE.kubeconfig, with all that it needs inside.
func (a *authority) kubeconfig(who identity, server string) error {
	if err := a.issue(who); err != nil {
		return err
	}
	config := api.NewConfig()
	cluster := &api.Cluster{Server: server}
	user := &api.AuthInfo{}
	for _, part := range []struct {
		file string
		data *[]byte
	}{
		{"ca.crt", &cluster.CertificateAuthorityData},
		{who.file + ".crt", &user.ClientCertificateData},
		{who.file + ".key", &user.ClientKeyData},
	} {
		data, err := os.ReadFile(a.path(part.file))
		if err != nil {
			return err
		}
		*part.data = data
	}
	config.Clusters["test"] = cluster
	config.AuthInfos[who.user] = user
	config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: who.user}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, a.path(who.file+".kubeconfig"))
}

func (a *authority) path(file string) string {
	return filepath.Join(a.folder, file)
}

func newKey(folder, name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(filepath.Join(folder, name+".key"), "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
