namespace Weir.Configuration;

/// <summary>Where Weir may connect to beyond public https addresses.</summary>
internal sealed record EgressConfig
{
    /// <summary>
    /// Hosts, each with a port where it matters (<c>mcp.internal:8443</c>), that may be private addresses and plain http.
    /// </summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    public static EgressConfig Read(ConfigReader reader)
    {
        var config = new EgressConfig { Allow = reader.List("egress.allow", []) };
        foreach (var host in config.Allow.Where(h =>
            !Uri.TryCreate($"http://{h}/", UriKind.Absolute, out var url) || url.PathAndQuery != "/" || url.UserInfo.Length > 0))
        {
            reader.AddError("egress.allow", $"\"{host}\" is not a host, nor host:port.");
        }

        return config;
    }
}
