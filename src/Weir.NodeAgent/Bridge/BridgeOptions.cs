namespace Weir.NodeAgent.Bridge;

/// <summary>Bounds of the data path.</summary>
internal sealed record BridgeOptions
{
    /// <summary>The longest message in either direction, in bytes.</summary>
    public const int MessageLimit = 16 * 1024 * 1024;

    /// <summary>When a call is given up: the child is told so and the caller gets an error. Default 20 minutes.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromMinutes(20);

    /// <summary>How long the first handshake of a child may take. Default 30 s.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A session that is not used for so long is ended. Default 30 minutes.</summary>
    public TimeSpan SessionIdle { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Sessions of an instance with <c>share: session</c> that asks for no other number: each is a process. Default 32.</summary>
    public int SessionChildren { get; init; } = 32;

    /// <summary>The most sessions that such an instance may ask for. Default 128.</summary>
    public int SessionChildrenMost { get; init; } = 128;

    /// <summary>Sessions of an instance with <c>share: instance</c>. Default 4096.</summary>
    public int SharedSessions { get; init; } = 4096;

    /// <summary>A full instance ends its longest idle session in favour of a new one, if idle for this long. Default 30 s.</summary>
    public TimeSpan SessionSpare { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Calls that one child may have in flight. Default 1024.</summary>
    public int CallsInFlight { get; init; } = 1024;

    /// <summary>Bytes that may wait for the caller of one call: messages before the response, and the response. Default 32 MiB.</summary>
    public long CallBytes { get; init; } = 2 * MessageLimit;

    /// <summary>Bytes that may wait for one session's stream, or for a client that has none open. Default 20 MiB.</summary>
    public long SessionBytes { get; init; } = MessageLimit + (4 * 1024 * 1024);

    /// <summary>Bytes that may wait for one child to read them. Default 32 MiB.</summary>
    public long OutgoingBytes { get; init; } = 2 * MessageLimit;

    /// <summary>Bytes of resource subscriptions at one shared child. Default 4 MiB.</summary>
    public long SubscriptionBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Bytes that may wait for one organization's instances together; one instance may have half of it. Default 256 MiB.</summary>
    public long OrganizationBytes { get; init; } = 256 * 1024 * 1024;

    /// <summary>
    /// Bytes of messages of all organizations that may wait at the node, beside a small part for each. Default a quarter of the memory.
    /// </summary>
    public long TogetherBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;

    public long InstanceBytes => OrganizationBytes / 2;

    /// <summary>How long a child may take after its input closed, and again after SIGTERM. Default 2 s.</summary>
    public TimeSpan EndGrace { get; init; } = TimeSpan.FromSeconds(2);
}
