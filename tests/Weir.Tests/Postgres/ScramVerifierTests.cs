using Weir.Postgres;

namespace Weir.Tests.Postgres;

public sealed class ScramVerifierTests
{
    // The pair of RFC 7677: user "user", password "pencil".
    [Fact]
    public void It_is_what_the_rfc_computes() =>
        ScramVerifier.Compute("pencil", Convert.FromBase64String("W22ZaJ0SNY7soEsUEjb6gQ=="))
            .ShouldBe(
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfP"
                + "wDl2dU=");

    [Theory]
    [InlineData("")]
    [InlineData("pass\nword")]
    [InlineData("pässword")]
    public void A_password_that_would_need_preparation_is_refused(string password) =>
    Should.Throw<FormatException>(() => ScramVerifier.Compute(password));
}
