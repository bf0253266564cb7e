using System.Net;

namespace Weir.Configuration;

/// <summary>Where Weir listens, and under which names it is reached.</summary>
internal sealed record HttpConfig
{
    private const int MaxUrl = 2048;

    /// <summary>Address and port of the listener. Without TLS it must be a loopback address, unless <see cref="Insecure"/>.</summary>
    public Uri Listen { get; init; } = new("http://127.0.0.1:8080");

    /// <summary>
    /// The URL that callers use. It gives the expected Host and begins every link in answers. Default: none, and answers have no links.
    /// </summary>
    public Uri? PublicUrl { get; init; }

    /// <summary>The same as the text that links begin with, without a slash at its end.</summary>
    public string? PublicAddress => PublicUrl?.AbsoluteUri.TrimEnd('/');

    /// <summary>Origins of browsers that may call besides the public URL's own, e.g. <c>https://app.example.com</c>.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>Host headers that are accepted besides the public URL's, e.g. <c>weir.internal:8080</c>.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Where this replica's own kind reaches it, to hand over what only it holds. Default: the listener's address.</summary>
    public Uri? InternalUrl { get; init; }

    /// <summary>
    /// Addresses and networks of the proxies in front: from them, and only from them, <c>X-Forwarded-For</c> says who calls, read from its
    /// end up to the first address that is none of theirs. Empty: the header is what anybody may write, and is not looked at.
    /// </summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    /// <summary>Listen without TLS beyond loopback: something in front of Weir ends TLS.</summary>
    public bool Insecure { get; init; }

    /// <summary>Without <c>publicUrl</c>, a loopback listener is taken as the public URL.</summary>
    public HttpConfig WithUrl() => PublicUrl is null && IsLoopback(Listen) ? this with { PublicUrl = Listen } : this;

    public HttpConfig OnPort(int port) => this with { Listen = new UriBuilder(Listen) { Port = port }.Uri };

    public static HttpConfig Read(ConfigReader reader)
    {
        var defaults = new HttpConfig();
        var config = new HttpConfig
        {
            Listen = reader.Url("http.listen", defaults.Listen, "http")!,
            PublicUrl = reader.Url("http.publicUrl", null, "http", "https"),
            InternalUrl = reader.Url("http.internalUrl", null, "http", "https"),
            AllowedOrigins = reader.List("http.allowedOrigins", defaults.AllowedOrigins),
            AllowedHosts = reader.List("http.allowedHosts", defaults.AllowedHosts),
            TrustedProxies = reader.List("http.trustedProxies", defaults.TrustedProxies),
            Insecure = reader.Flag("http.insecure", defaults.Insecure),
        };
        if (!config.Insecure && !IsLoopback(config.Listen))
        {
            reader.AddError("http.listen",
                $"{config.Listen.Host} is not a loopback address, and there is no TLS. Set http.insecure if a proxy in front ends TLS.");
        }

        if (config.PublicUrl is { } url && (url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0
            || url.AbsolutePath.Contains("//", StringComparison.Ordinal) || url.AbsoluteUri.Length > MaxUrl))
        {
            reader.AddError("http.publicUrl",
                $"\"{url.GetComponents(UriComponents.AbsoluteUri & ~UriComponents.UserInfo, UriFormat.UriEscaped)}\": "
                + $"give scheme, host, port and path only, without an empty segment, at most {MaxUrl} characters.");
        }

        foreach (var origin in config.AllowedOrigins.Where(
            o => !Uri.TryCreate(o, UriKind.Absolute, out var url) || url.GetLeftPart(UriPartial.Authority) != o))
        {
            reader.AddError("http.allowedOrigins", $"\"{origin}\" is not an origin, such as https://app.example.com.");
        }

        foreach (var proxy in config.TrustedProxies.Where(p => !IPNetwork.TryParse(p, out _) && !IPAddress.TryParse(p, out _)))
        {
            reader.AddError("http.trustedProxies", $"\"{proxy}\" is neither an address nor a network, such as 10.0.0.0/8.");
        }

        return config;
    }

    private static bool IsLoopback(Uri url) =>
        url.Host == "localhost" || (IPAddress.TryParse(url.DnsSafeHost, out var address) && IPAddress.IsLoopback(address));
}
