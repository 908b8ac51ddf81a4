"Any PyTorch module becomes a net"
