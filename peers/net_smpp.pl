#!/usr/bin/perl
# A USSD centre, or a client, of Net::SMPP's making, driven by JSON lines: what our own SMPP is tested against.
#
# Rules of this file:
# - It is spoken to as centre.js is: the orders and the events are the same, and told there.
# - It decides nothing about messages: a test says what is sent, and reads what came.
# - Octets are told in hexadecimal, and ordered as {"hex": "..."}. A password is compared, and never written.
# - The end of stdin ends it.

use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Net::SMPP;

my %WIDTH = (ussd_service_op => 'C', message_state => 'C');    # optional parameters that are told as numbers
my %OCTETS = map { $_ => 1 } qw(short_message message_payload its_session_info);
my %HIDDEN = map { $_ => 1 } qw(cmd status seq data known_pdu password reserved);
my %BINDS = map { $_ => 1 } qw(bind_receiver bind_transmitter bind_transceiver);

# A command of SMPP 5.0, which Net::SMPP lacks.
*Net::SMPP::broadcast_sm = sub { my ($socket) = @_; $socket->req_backend(0x111, '', $socket) };

my $json = JSON::PP->new->utf8->ascii->canonical;
my $select = IO::Select->new(\*STDIN);
my %sessions;    # by file number: {socket, account, tags}
my @order;       # the same, the latest last
my $listener;
my $account;
my $status = 0;
my $messages = 0;
my $orders = '';

$| = 1;
$SIG{PIPE} = 'IGNORE';
$SIG{__WARN__} = sub { };    # that a socket has ended is reported as an event

sub report {
    my ($event, %fields) = @_;
    print $json->encode({ event => $event, %fields }), "\n";
}

sub command_of {
    my ($pdu) = @_;
    my $known = Net::SMPP::pdu_tab->{ $pdu->{cmd} };
    return $known ? $known->{cmd} : sprintf('0x%08x', $pdu->{cmd});
}

sub fields_of {
    my ($pdu) = @_;
    my %told = (command => command_of($pdu), command_status => $pdu->{status}, sequence_number => $pdu->{seq});
    for my $name (grep { !/^\d+$/ && !$HIDDEN{$_} } keys %$pdu) {
        my $value = $pdu->{$name};
        $value = unpack $WIDTH{$name}, $value if $WIDTH{$name};
        $value = unpack 'H*', $value if $OCTETS{$name};
        $value =~ s/\0$// if $name eq 'receipted_message_id';
        $told{$name} = $value;
    }
    return \%told;
}

sub ordered {
    my ($fields) = @_;
    my %ready;
    for my $name (keys %$fields) {
        my $value = $fields->{$name};
        $value = pack 'H*', $value->{hex} if ref $value;
        $value = pack $WIDTH{$name}, $value if $WIDTH{$name};
        $value .= "\0" if $name eq 'receipted_message_id';
        $ready{$name} = $value;
    }
    return %ready;
}

sub attend {
    my ($socket) = @_;
    $sessions{ fileno $socket } = { socket => $socket, tags => {} };
    push @order, fileno $socket;
    $select->add($socket);
}

sub forget {
    my ($socket) = @_;
    my $number = fileno $socket;
    $select->remove($socket);
    delete $sessions{$number};
    @order = grep { $_ != $number } @order;
    close $socket;
    report('closed');
}

sub hear {
    my ($socket) = @_;
    my $pdu = $socket->read_pdu();
    return forget($socket) if !defined $pdu;
    my $command = command_of($pdu);
    if ($command =~ /^(bind_.*)_resp$/) {
        report('bound', status => $pdu->{status}, pdu => fields_of($pdu));
    } elsif ($pdu->{cmd} & 0x80000000) {
        my $tag = delete $sessions{ fileno $socket }{tags}{ $pdu->{seq} };
        report('response', tag => $tag, pdu => fields_of($pdu));
        forget($socket) if $command eq 'unbind_resp';
    } else {
        report('request', pdu => fields_of($pdu));
        reply($socket, $pdu, $command);
    }
}

sub reply {
    my ($socket, $pdu, $command) = @_;
    my %answer = (seq => $pdu->{seq});
    if ($BINDS{$command}) {
        $answer{status} = Net::SMPP::ESME_RINVSYSID() if $pdu->{system_id} ne $account->{system_id};
        $answer{status} = Net::SMPP::ESME_RINVPASWD() if $pdu->{password} ne $account->{password};
        $answer{system_id} = 'net-smpp';
    } elsif ($command =~ /^(submit|deliver)_sm$/) {
        %answer = (%answer, status => $status, message_id => ++$messages);
    }
    my $response = "${command}_resp";
    $socket->$response(%answer);
    my %told = (command => $response, sequence_number => $pdu->{seq}, message_id => $answer{message_id});
    report('answered', pdu => \%told) if $answer{message_id};
    forget($socket) if $command eq 'unbind' || $BINDS{$command} && $answer{status};
}

sub latest { return $sessions{ $order[-1] // die "no session is open\n" } }

my %deeds = (
    listen => sub {
        my ($order) = @_;
        $account = $order;
        $listener = Net::SMPP->new_listen($order->{host}, port => $order->{port}, async => 1) or die "listen: $!\n";
        $select->add($listener);
        report('listening', port => $listener->sockport);
    },
    connect => sub {
        my ($order) = @_;
        my $socket = Net::SMPP->new_connect($order->{host}, port => $order->{port}, async => 1) or die "connect: $!\n";
        attend($socket);
        my $bind = $order->{bind};
        $socket->$bind(%{ $order->{fields} });
    },
    send => sub {
        my ($order) = @_;
        my ($session, $command) = (latest(), $order->{command});
        my $seq = $session->{socket}->$command(ordered($order->{fields}));
        $session->{tags}{$seq} = $order->{tag};
    },
    answer => sub { $status = $_[0]{status} },
    unbind => sub { latest()->{socket}->unbind() },
    cut => sub { forget($_->{socket}) for values %sessions },
);

sub obey {
    my ($line) = @_;
    my $order = $json->decode($line);
    eval { $deeds{ $order->{do} }->($order); 1 } or report('failed', message => "$order->{do}: $@");
}

while (1) {
    for my $ready ($select->can_read) {
        if ($ready == \*STDIN) {
            sysread(STDIN, $orders, 65536, length $orders) or exit 0;
            obey($1) while $orders =~ s/^(.*)\n//;
        } elsif ($listener && $ready == $listener) {
            attend(scalar $listener->accept);
        } elsif ($sessions{ fileno($ready) // -1 }) {
            hear($ready);
        }
    }
}
