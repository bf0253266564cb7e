namespace Weir.Configuration;

/// <summary>Whose tokens a person may present. With neither secret nor JWKS, only the embedded issuer's are taken.</summary>
internal sealed record AuthConfig
{
    /// <summary>The shared secret (HS256) of the project's tokens, at least 32 characters.</summary>
    public string? JwtSecret { get; init; }

    /// <summary>Where the issuer publishes its signing keys.</summary>
    public Uri? JwksUrl { get; init; }

    /// <summary>The <c>iss</c> that a token must carry; unset: any, where a shared secret proves it.</summary>
    public string? Issuer { get; init; }

    /// <summary>The <c>aud</c> that a token must carry.</summary>
    public string Audience { get; init; } = "authenticated";

    /// <summary>Whether anybody may make themselves a login of the embedded issuer.</summary>
    public bool SignUp { get; init; }

    public static AuthConfig Read(ConfigReader reader)
    {
        var config = new AuthConfig
        {
            JwtSecret = reader.Text("auth.jwtSecret", null),
            JwksUrl = reader.Url("auth.jwksUrl", null, "https", "http"),
            Issuer = reader.Text("auth.issuer", null),
            Audience = reader.Text("auth.audience", new AuthConfig().Audience)!,
            SignUp = reader.Flag("auth.signUp", new AuthConfig().SignUp),
        };
        foreach (var (key, problem) in config.Problems())
        {
            reader.AddError(key, problem);
        }

        return config;
    }

    /// <summary>The same with what the command line says.</summary>
    /// <exception cref="ConfigException">That is wrong.</exception>
    public AuthConfig With(string? jwtSecret, string? jwksUrl)
    {
        var url = jwksUrl is null ? JwksUrl
            : Uri.TryCreate(jwksUrl, UriKind.Absolute, out var parsed) && parsed.Scheme is "https" or "http" ? parsed
            : throw new ConfigException([$"--jwks: \"{jwksUrl}\" is not a URL."]);
        var config = this with { JwtSecret = jwtSecret ?? JwtSecret, JwksUrl = url };
        return config.Problems().ToArray() is { Length: > 0 } problems
            ? throw new ConfigException(problems.Select(p => $"{p.Key}: {p.Problem}").ToArray())
            : config;
    }

    private IEnumerable<(string Key, string Problem)> Problems()
    {
        if (JwtSecret is { Length: < 32 })
        {
            yield return ("auth.jwtSecret", "It is shorter than 32 characters, which HS256 wants at least.");
        }

        if (JwksUrl is { Scheme: "http", IsLoopback: false })
        {
            yield return ("auth.jwksUrl", "Keys that come without TLS prove nothing: it wants https.");
        }

        if (JwksUrl is not null && Issuer is null)
        {
            yield return ("auth.issuer", "It must be set where auth.jwksUrl is.");
        }
    }
}
