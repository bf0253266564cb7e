using System.Net;
using Weir.NodeAgent.Bridge;
using Weir.NodeAgent.Processes;
using Weir.NodeAgent.Servers;

namespace Weir.NodeAgent.Configuration;

/// <summary>The settings, checked. <see cref="NodeSettings.All"/> describes each.</summary>
internal sealed record NodeOptions
{
    public required string DataDirectory { get; init; }

    public required IPEndPoint Listen { get; init; }

    public Uri? Advertise { get; init; }

    public string? ApiKeyFile { get; init; }

    public string? TlsCertificate { get; init; }

    public string? TlsKey { get; init; }

    public Uri? WeirUrl { get; init; }

    public string? Token { get; init; }

    public required string Name { get; init; }

    public string? Region { get; init; }

    public required string NodeProgram { get; init; }

    public required string NpmProgram { get; init; }

    public uint FirstUid { get; init; }

    public bool Lifeline { get; init; }

    public TimeSpan InstallTimeout { get; init; }

    public required BridgeOptions Bridge { get; init; }

    public required SupervisionOptions Supervision { get; init; }

    public required ResourceLimits Limits { get; init; }

    /// <summary>Null when something is wrong; then <see cref="NodeSettings.Errors"/> says what.</summary>
    public static NodeOptions? From(NodeSettings settings)
    {
        const int Mebi = 1 << 20;
        var listenText = settings.Text("listen")!;
        var listen = IPEndPoint.TryParse(listenText, out var parsed) && listenText.Contains(':', StringComparison.Ordinal)
            ? parsed
            : settings.Refuse("listen", listenText, "an IP address and a port, like 127.0.0.1:0", new IPEndPoint(IPAddress.Loopback, 0));
        var options = new NodeOptions
        {
            DataDirectory = Path.GetFullPath(settings.Text("data")!),
            Listen = listen,
            Advertise = Url(settings, "advertise"),
            ApiKeyFile = settings.Text("api-key-file"),
            TlsCertificate = Existing(settings, "tls-certificate"),
            TlsKey = Existing(settings, "tls-key"),
            WeirUrl = Url(settings, "weir-url"),
            Token = Existing(settings, "token-file") is { } file ? File.ReadAllText(file).Trim() : settings.Text("token"),
            Name = settings.Text("name") ?? Environment.MachineName,
            Region = settings.Text("region"),
            NodeProgram = Program(settings, "node"),
            NpmProgram = Program(settings, "npm"),
            FirstUid = (uint)settings.Number("first-uid", 1000, 2_000_000_000),
            Lifeline = settings.Flag("lifeline"),
            InstallTimeout = settings.Seconds("install-timeout"),
            Bridge = new BridgeOptions
            {
                CallTimeout = settings.Seconds("call-timeout"),
                HandshakeTimeout = settings.Seconds("handshake-timeout"),
                SessionIdle = settings.Seconds("session-idle"),
                SessionSpare = settings.Seconds("session-spare"),
                SessionChildren = (int)settings.Number("session-children", 1, 10_000),
                SessionChildrenMost = (int)settings.Number("session-children-most", 1, 10_000),
                OrganizationBytes = settings.Number("organization-queue", 128, 65_536) * Mebi,
                TogetherBytes = settings.Number("node-queue", 0, 1_048_576) is > 0 and var together
                    ? together * Mebi : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4,
                SharedSessions = (int)settings.Number("shared-sessions", 1, 1_000_000),
            },
            Supervision = new SupervisionOptions
            {
                Attempts = (int)settings.Number("restart-attempts", 1, 1000),
                PingEvery = settings.Seconds("ping-interval"),
                PingTimeout = settings.Seconds("ping-timeout"),
            },
            Limits = new ResourceLimits(
                settings.Number("limit-processes", 16, 1_000_000),
                settings.Number("limit-open-files", 64, 1_000_000),
                settings.Number("limit-data", 64, Mebi) * Mebi,
                settings.Number("limit-file", 1, Mebi) * Mebi),
        };
        if (!IPAddress.IsLoopback(listen.Address) && options.TlsCertificate is null && !settings.Flag("insecure"))
        {
            settings.Refuse(
                "listen", listenText, "a loopback address; beyond it the API needs tls-certificate and tls-key, or insecure", 0);
        }

        if ((options.TlsCertificate is null) != (options.TlsKey is null))
        {
            settings.Refuse("tls-key", settings.Text("tls-key"), "given together with tls-certificate", 0);
        }

        return settings.Errors.Count == 0 ? options : null;
    }

    private static Uri? Url(NodeSettings settings, string name)
    {
        if (settings.Text(name) is not { } text)
        {
            return null;
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : settings.Refuse<Uri?>(name, text, "an http or https URL", null);
    }

    private static string? Existing(NodeSettings settings, string name) =>
        settings.Text(name) is not { } file || File.Exists(file)
            ? settings.Text(name) : settings.Refuse<string?>(name, file, "a file that exists", null);

    /// <summary>The program's full path; as written where it is not found, which the status then says.</summary>
    private static string Program(NodeSettings settings, string name)
    {
        var text = settings.Text(name)!;
        var found = text.Contains('/', StringComparison.Ordinal)
            ? Path.GetFullPath(text)
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(d => Path.Combine(d, text)).FirstOrDefault(File.Exists);
        return found ?? text;
    }
}
